// Light or dark as Airflow's own switch says, where the page stands in Airflow; else as the system says.
(() => {
  const root = document.documentElement;
  const outer = () => {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // framed by another origin, which the policy forbids anyhow
    }
  };
  const follow = () => {
    const theme = outer()?.className.match(/\b(light|dark)\b/)?.[1];
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  follow();
  const frame = outer();
  if (frame) new MutationObserver(follow).observe(frame, { attributes: true, attributeFilter: ["class"] });
})();
