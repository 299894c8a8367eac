// What a page does by itself: links out of its frame, search in a table, copying, and looking again while it is live.
(() => {
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

  const say = (text) => {
    document.getElementById("said").textContent = text;
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

  // A live page asks for its changing part, and is told "not modified" as long as nothing has happened.
  const live = document.getElementById("live");
  const pace = Number(live?.dataset.live || 0) * 1000;
  let known = "";

  const replace = (text) => {
    const found = new DOMParser().parseFromString(text, "text/html");
    const open = new Set([...live.querySelectorAll("details[open]")].map((each) => each.id));
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const part = found.getElementById("live") ?? found.body;
    live.replaceChildren(...part.childNodes);
    for (const each of live.querySelectorAll("details")) each.open = open.has(each.id);
    if (focused) live.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    const state = document.getElementById("live-state");
    if (state) say(state.dataset.said);
    return state?.dataset.ended === "yes";
  };

  const look = async () => {
    if (document.hidden) return false;
    const address = new URL(location.href);
    address.searchParams.set("live", "true");
    const answer = await fetch(address, { headers: known ? { "If-None-Match": known } : {}, cache: "no-store" });
    if (answer.status === 304) return false;
    if (!answer.ok) {
      say(answer.status === 401 || answer.status === 403 ? "You are logged out: load the page again" : "No answer");
      return answer.status < 500;
    }
    known = answer.headers.get("ETag") || "";
    return replace(await answer.text());
  };

  const again = async () => {
    let over = false;
    try {
      over = await look();
    } catch {
      say("The server gives no answer");
    }
    if (!over) setTimeout(again, pace);
  };
  if (pace) setTimeout(again, pace);
})();
