// What the workplace adds in a browser: own time zone, live pages, cards that are dragged, suggestions while one types.
// Every page works without it.
const local = (root) => {
  for (const time of root.querySelectorAll("time"))
    time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
};

const wire = (root) => {
  local(root);
  // A choice that is made is sent; the button is for those who have no script.
  for (const select of root.querySelectorAll("select[data-submits]")) {
    select.form.classList.add("scripted");
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  for (const input of root.querySelectorAll("input[data-suggest]")) input.addEventListener("input", () => suggest(input));
  for (const card of root.querySelectorAll("[data-card]"))
    card.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", card.dataset.card));
  for (const stage of root.querySelectorAll("[data-stage]")) {
    stage.addEventListener("dragover", (event) => { event.preventDefault(); stage.classList.add("over"); });
    stage.addEventListener("dragleave", () => stage.classList.remove("over"));
    stage.addEventListener("drop", (event) => {
      event.preventDefault();
      stage.classList.remove("over");
      drop(root.querySelector(`[data-card="${CSS.escape(event.dataTransfer.getData("text/plain"))}"]`), stage.dataset.stage);
    });
  }
};

const drop = (card, stage) => {
  const select = card?.querySelector("select");
  if (!select || select.value === stage) return;
  select.value = stage;
  select.form.requestSubmit();
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

// The page asks for itself again when something was committed, unless somebody is typing in it.
const refresh = async () => {
  const main = document.querySelector("main");
  const busy = main.querySelector("form.record, details[open]") || main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  if (busy || document.hidden) return;
  const fresh = (await fetched(location.href))?.querySelector("main");
  if (!fresh || !document.querySelector("main")) return;
  wire(fresh);
  main.replaceWith(fresh);
};

wire(document);
if (document.querySelector("nav")) {
  const feed = new EventSource("/live");
  feed.onmessage = refresh;
  feed.onerror = () => document.body.classList.add("cut");
  feed.onopen = () => document.body.classList.remove("cut");
  addEventListener("pagehide", () => feed.close());
}
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    document.querySelector("header input[type=search]")?.focus();
  }
});
