// What a page does by itself: links out of its frame, search in a table, copying; and what live.js and zoom.js do.
import { say } from "./said.js";
import "./zoom.js";

const framed = window.parent !== window;

// Airflow's frame forbids leaving it by a link. Its router follows a change of the history, which is nowhere promised:
// where it does not, the address in the link is right all the same.
const leave = (address) => {
  window.parent.history.pushState({}, "", address);
  window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
};

const filter = (input) => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = document.querySelectorAll(`#${CSS.escape(input.dataset.filter)} tbody tr`);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  say(`${shown} of ${rows.length} rows`);
};

const copy = async (button) => {
  const text = button.parentElement.querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text);
    say("Copied");
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
    say("Selected: copy it with the keyboard");
  }
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.airflow");
  if (link && framed && !event.defaultPrevented && event.button === 0 && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    leave(link.getAttribute("href"));
  }
  const button = event.target.closest("button.copy");
  if (button) copy(button);
});
document.addEventListener("input", (event) => {
  if (event.target.dataset?.filter) filter(event.target);
});
