// The line at the foot of a page, which a screen reader reads out as it changes.
export const say = (text) => {
  document.getElementById("said").textContent = text;
};
