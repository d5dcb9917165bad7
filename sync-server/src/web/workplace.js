// What the workplace adds in a browser: live pages, cards that are dragged, suggestions while one types.
// Every page works without it.
const wire = (root) => {
  // A choice that is made is sent; the button is for those who have no script.
  for (const select of root.querySelectorAll("select[data-submits]")) {
    select.form.classList.add("scripted");
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  // Two clicks on a fact edit it.
  for (const pencil of root.querySelectorAll("dd .pencil"))
    pencil.parentElement.addEventListener("dblclick", () => pencil.click());
  for (const input of root.querySelectorAll("input[data-suggest]")) input.addEventListener("input", () => suggest(input));
  for (const card of root.querySelectorAll("[data-card]"))
    card.addEventListener("dragstart", (event) => {
      dragged = card.dataset.card;
      event.dataTransfer.setData("text/plain", dragged);
    });
  for (const stage of root.querySelectorAll("[data-stage]")) {
    stage.addEventListener("dragover", (event) => { event.preventDefault(); mark(root, stage, above(stage, event.clientY)); });
    stage.addEventListener("dragleave", () => mark(root));
    stage.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(root);
      drop(root.querySelector(`[data-card="${CSS.escape(dragged)}"]`), stage, above(stage, event.clientY));
    });
  }
};

// The card behind which one that is let go here would stand.
let dragged = "";
const above = (stage, y) => {
  const middle = (card) => { const box = card.getBoundingClientRect(); return box.top + box.height / 2; };
  return [...stage.querySelectorAll("[data-card]")].filter((card) => card.dataset.card !== dragged && middle(card) < y).pop();
};

const mark = (root, stage, card) => {
  for (const marked of root.querySelectorAll(".over, .first, .last")) marked.classList.remove("over", "first", "last");
  stage?.classList.add("over");
  if (stage) card ? card.classList.add("last") : stage.classList.add("first");
};

const drop = (card, stage, behind) => {
  const form = card?.querySelector("form.move");
  if (!form || stage.contains(card) && card.previousElementSibling === (behind ?? null)) return;
  form.elements["f.stage"].value = stage.dataset.stage;
  const place = document.createElement("input");
  Object.assign(place, { type: "hidden", name: "behind", value: behind?.dataset.card.split("/").pop() ?? "" });
  form.append(place);
  form.requestSubmit();
};

let typing;
const suggest = (input) => {
  clearTimeout(typing);
  typing = setTimeout(async () => {
    const text = input.value.trim();
    if (text.length < 2) return;
    const query = new URLSearchParams({ q: text, in: input.dataset.suggest });
    const page = await fetched(`/search?${query}`);
    if (!page || input.value.trim() !== text) return;
    const options = [...page.querySelectorAll("a[data-hit]")].slice(0, 12).map((hit) => {
      const option = document.createElement("option");
      option.value = hit.textContent;
      return option;
    });
    input.list.replaceChildren(...options);
  }, 200);
};

const fetched = async (address) => {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// The page asks for itself again when something was committed, unless somebody is typing in it; then it rests for nine times
// as long as that took, so that a page that is hard to make is not made all the time.
let [resting, missed] = [false, false];
const refresh = async () => {
  missed = resting;
  if (resting) return;
  resting = true;
  const begun = performance.now();
  await again().catch(() => {});
  setTimeout(() => {
    resting = false;
    if (missed) refresh();
  }, 9 * (performance.now() - begun));
};

const again = async () => {
  const main = document.querySelector("main");
  const begun = (input) => input.value !== input.defaultValue || input.checked !== input.defaultChecked;
  const busy = main.querySelector("form.record, details[open]") || [...main.querySelectorAll("input, textarea")].some(begun) || main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  if (document.hidden) return;
  if (busy) return ask();
  const page = await fetched(location.href);
  const fresh = page?.querySelector("main");
  if (!fresh || !document.querySelector("main")) return;
  wire(fresh);
  main.replaceWith(fresh);
  tell(page);
};

// What the person is told of stands above the page and comes without it, also while somebody types.
const tell = (page) => {
  const told = page.querySelector("header .told");
  const known = document.querySelector("header .told");
  if (told) known ? known.replaceWith(told) : document.querySelector("header .who").before(told);
  else known?.remove();
  const [due, shown] = [page, document].map((root) => root.querySelector(".reminders"));
  if (due && shown && due.textContent !== shown.textContent && !shown.contains(document.activeElement))
    shown.replaceChildren(...due.childNodes);
  if (due && shown) shown.dataset.in = due.dataset.in ?? "";
  remind();
};

// The next reminder comes when its time does.
let alarm;
const remind = () => {
  clearTimeout(alarm);
  const wait = Number(document.querySelector(".reminders")?.dataset.in);
  if (wait) alarm = setTimeout(ask, wait + 300);
};
const ask = async () => {
  const page = await fetched(location.pathname === "/today" ? "/today" : "/help");
  if (page) tell(page);
};

// The server writes times in this zone for people who have chosen none.
document.cookie = `branchline_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;
wire(document);
if (document.querySelector("nav")) {
  const feed = new EventSource("/live");
  feed.onmessage = refresh;
  feed.onerror = () => document.body.classList.add("cut");
  feed.onopen = () => document.body.classList.remove("cut");
  addEventListener("pagehide", () => feed.close());
  remind();
}
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    palette();
  }
});

// Every place of the workplace, and every record, by a few letters.
let dialog;
const palette = () => {
  const find = document.querySelector("header input[type=search]");
  if (!find) return;
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "palette";
    dialog.innerHTML = '<form method="dialog"><input type="search" autocomplete="off"></form><ul></ul>';
    const [input, list] = [dialog.querySelector("input"), dialog.querySelector("ul")];
    input.placeholder = find.placeholder;
    input.ariaLabel = find.placeholder;
    let turn = 0;
    const fill = async () => {
      const mine = ++turn;
      const text = input.value.trim().toLowerCase();
      const entry = (link, note) => {
        const item = document.createElement("li");
        const copy = document.createElement("a");
        copy.href = link.getAttribute("href");
        copy.textContent = link.textContent;
        item.append(copy, note ? ` ${note}` : "");
        return item;
      };
      const places = [...document.querySelectorAll("nav a")].filter((a) => a.textContent.toLowerCase().includes(text));
      list.replaceChildren(...places.slice(0, 8).map((a) => entry(a)));
      if (text.length < 2) return;
      const page = await fetched(`/search?${new URLSearchParams({ q: text })}`);
      if (!page || mine !== turn) return;
      const hits = [...page.querySelectorAll("a[data-hit]")].slice(0, 12);
      list.append(...hits.map((hit) => entry(hit, hit.nextElementSibling?.textContent)));
    };
    input.addEventListener("input", fill);
    dialog.addEventListener("keydown", (event) => {
      const links = [...list.querySelectorAll("a")];
      const at = links.indexOf(document.activeElement);
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && links.length) {
        event.preventDefault();
        (links[at + step] ?? (step > 0 ? links[0] : input)).focus();
      }
      if (event.key === "Enter" && at < 0) {
        event.preventDefault();
        links[0]?.click();
      }
    });
    document.body.append(dialog);
    dialog.refill = fill;
  }
  dialog.showModal();
  dialog.querySelector("input").select();
  dialog.refill();
};
