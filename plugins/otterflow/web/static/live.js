// The part of a page that changes: asked for anew while an experiment runs, and where another part of a plot is wanted.
import { say } from "./said.js";

const live = document.getElementById("live");
const changing = live ?? document.getElementById("content");
const pace = Number(live?.dataset.live || 0) * 1000;
let known = "";
let asked = 0;

// What a person is about to say is not to be replaced: a part that is being dragged over, a field with another value.
const busy = () =>
  changing.querySelector("svg .chosen") !== null ||
  [...changing.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);

// The first of these that can take the focus has it: a way on that leads nowhere any more is no link.
const focus = (selectors) => {
  for (const each of selectors) {
    const found = each && changing.querySelector(each);
    found?.focus({ preventScroll: true });
    if (found && document.activeElement === found) return;
  }
};

const replace = (text) => {
  const found = new DOMParser().parseFromString(text, "text/html");
  const open = new Set([...changing.querySelectorAll("details[open]")].map((each) => each.id));
  const focused = changing.contains(document.activeElement) ? document.activeElement : null;
  const again = focused && (focused.id ? `#${CSS.escape(focused.id)}` : `[href="${CSS.escape(focused.getAttribute("href"))}"]`);
  const within = focused?.closest("details")?.id;
  const part = found.getElementById(changing.id) ?? found.body;
  changing.replaceChildren(...part.childNodes);
  for (const each of changing.querySelectorAll("details")) each.open = open.has(each.id);
  if (again) focus([again, within && `#${CSS.escape(within)} summary`, ".zoom .steps a[href]"]);
  return document.getElementById("live-state")?.dataset;
};

// Whether there is nothing more to be asked for.
const look = async () => {
  const mine = ++asked;
  const address = new URL(location.href);
  if (live) address.searchParams.set("live", "true");
  const answer = await fetch(address, { headers: known ? { "If-None-Match": known } : {}, cache: "no-store" });
  if (mine !== asked || answer.status === 304) return false;
  if (!answer.ok) {
    say(answer.status === 401 || answer.status === 403 ? "You are logged out: load the page again" : "No answer");
    return answer.status < 500;
  }
  known = answer.headers.get("ETag") || "";
  const text = await answer.text();
  if (mine !== asked) return false;
  const state = replace(text);
  if (state) say(state.said);
  return state?.ended === "yes";
};

const again = async () => {
  let over = false;
  try {
    over = !document.hidden && !busy() && (await look());
  } catch {
    say("The server gives no answer");
  }
  if (!over) setTimeout(again, pace);
};
if (pace) setTimeout(again, pace);

// Go to another address of the same page without loading all of it.
export const show = async (address) => {
  history.replaceState(null, "", address);
  known = "";
  try {
    await look();
  } catch {
    say("The server gives no answer");
  }
};
