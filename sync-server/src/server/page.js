"use strict";
const local = () => {
  for (const time of document.querySelectorAll("time"))
    time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
};
const figures = () => [...document.querySelectorAll(".figure, .number")];
local();
const feed = new EventSource("/events");
feed.onopen = () => document.body.classList.remove("cut");
feed.onerror = () => document.body.classList.add("cut");
feed.onmessage = (event) => {
  const before = figures().map((element) => element.textContent);
  const fresh = new DOMParser().parseFromString(event.data, "text/html").querySelector("main");
  document.querySelector("main").replaceWith(fresh);
  local();
  const after = figures();
  if (after.length === before.length)
    after.forEach((element, at) => element.classList.toggle("changed", element.textContent !== before[at]));
};
