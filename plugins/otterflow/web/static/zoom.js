// A part of a plot, chosen by dragging over it, by the wheel with Ctrl, by keys, or by the links and the form beside it.
// The server draws it: what is asked for here is an address, the same as the links have.
import { show } from "./live.js";
import { say } from "./said.js";

const MOVED = 4; // pixels; less is a click
const NARROW = 14; // of the picture's units: a part that is not wider, or not higher, is one along the other axis alone
const WHEEL = 1.25;
let drag = null;

const plotAt = (event) => event.target.closest?.(".zoom svg[data-axes]");
const between = (value, one, other) => Math.min(Math.max(value, Math.min(one, other)), Math.max(one, other));

const placeOf = (svg, axes, event) => {
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return { x: between(x, axes.left, axes.right), y: between(y, axes.top, axes.bottom) };
};

const iterationAt = ({ left, right, first, last }, x) => first + ((x - left) / (right - left)) * (last - first);

const valueAt = ({ top, bottom, low, high, logarithmic }, y) => {
  const share = (bottom - y) / (bottom - top);
  return logarithmic ? low * (high / low) ** share : low + share * (high - low);
};

const go = async (ends) => {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(ends)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  await follow(address);
};

const follow = async (address) => {
  await show(address);
  say([...document.querySelectorAll(".zoom svg desc")].map((each) => each.textContent).join(" "));
};

const iterations = (axes, one, other) => {
  const first = Math.max(0, Math.ceil(Math.min(one, other)));
  return { first, last: Math.max(first + 1, Math.floor(Math.max(one, other))) };
};

// The sides of what is being dragged over, along one axis alone where it is narrow.
const sidesOf = ({ axes, from, to }) => {
  const wide = Math.abs(to.x - from.x) > NARROW;
  const high = Math.abs(to.y - from.y) > NARROW;
  return {
    wide: wide || !high,
    high,
    left: wide || !high ? Math.min(from.x, to.x) : axes.left,
    right: wide || !high ? Math.max(from.x, to.x) : axes.right,
    top: high ? Math.min(from.y, to.y) : axes.top,
    bottom: high ? Math.max(from.y, to.y) : axes.bottom,
  };
};

const draw = () => {
  const { left, right, top, bottom } = sidesOf(drag);
  const sides = { x: left, y: top, width: right - left, height: bottom - top };
  for (const [name, value] of Object.entries(sides)) drag.box.setAttribute(name, value);
};

const end = () => {
  drag?.box?.remove();
  drag = null;
};

document.addEventListener("pointerdown", (event) => {
  const svg = plotAt(event);
  if (!svg || event.button !== 0) return;
  const axes = JSON.parse(svg.dataset.axes);
  drag = { svg, axes, at: [event.clientX, event.clientY], from: placeOf(svg, axes, event), box: null };
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  if (!drag.box) {
    if (Math.hypot(event.clientX - drag.at[0], event.clientY - drag.at[1]) < MOVED) return;
    drag.svg.setPointerCapture(event.pointerId);
    drag.box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    drag.box.setAttribute("class", "chosen");
    drag.svg.append(drag.box);
  }
  drag.to = placeOf(drag.svg, drag.axes, event);
  draw();
});

document.addEventListener("pointerup", () => {
  if (!drag?.box) return end();
  const { axes } = drag;
  const { left, right, top, bottom, wide, high } = sidesOf(drag);
  end();
  // A drag that ends over a mark is no click on it.
  const ignore = (event) => event.preventDefault();
  addEventListener("click", ignore, { capture: true });
  setTimeout(() => removeEventListener("click", ignore, { capture: true }));
  const ends = wide ? iterations(axes, iterationAt(axes, left), iterationAt(axes, right)) : {};
  if (high) {
    ends.low = valueAt(axes, bottom).toPrecision(6);
    ends.high = valueAt(axes, top).toPrecision(6);
  }
  return go(ends);
});

document.addEventListener("pointercancel", end);
document.addEventListener("dragstart", (event) => plotAt(event) && event.preventDefault());
document.addEventListener("dblclick", (event) => {
  if (plotAt(event)) go({ first: null, last: null, low: null, high: null });
});

document.addEventListener(
  "wheel",
  (event) => {
    const svg = event.ctrlKey && plotAt(event);
    if (!svg) return;
    event.preventDefault();
    const axes = JSON.parse(svg.dataset.axes);
    const at = iterationAt(axes, placeOf(svg, axes, event).x);
    const scale = event.deltaY < 0 ? 1 / WHEEL : WHEEL;
    const ends = iterations(axes, at - (at - axes.first) * scale, at + (axes.last - at) * scale);
    const { least, most } = svg.closest(".zoom").dataset;
    const whole = ends.first <= Number(least) && ends.last >= Number(most);
    go(whole ? { first: null, last: null } : { first: Math.max(ends.first, least), last: Math.min(ends.last, most) });
  },
  { passive: false },
);

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".zoom .steps a[href]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  follow(new URL(link.getAttribute("href"), location.href));
});

document.addEventListener("keydown", (event) => {
  const steps = event.target.closest?.(".zoom .steps");
  if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = steps.querySelector(`a[aria-keyshortcuts="${CSS.escape(event.key)}"][href]`);
  if (!step) return;
  event.preventDefault();
  step.click();
});
