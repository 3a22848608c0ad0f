"use strict";
(function () {
  const svg = document.currentScript.ownerSVGElement;
  const find = (id) => svg.querySelector("#" + id);
  const boxes = Array.from(find("boxes").children, (group) => ({
    group,
    name: group.querySelector("title").textContent,
    rect: group.querySelector("rect"),
    text: group.querySelector("text"),
    start: Number(group.dataset.x),
    width: Number(group.dataset.w),
    depth: Number(group.dataset.d),
  }));
  const hint = find("hint");
  const foot = hint.textContent;
  const margin = Number(svg.dataset.margin);
  const character = Number(svg.dataset.character);
  const inner = svg.viewBox.baseVal.width - 2 * margin;
  // As far as numbers with six decimals are equal.
  const LITTLE = 2e-6;

  function label(box, width) {
    const name = box.name.split("\n")[0];
    const columns = Math.floor((width - 6) / character);
    if (columns < 3) return "";
    return name.length <= columns ? name : name.slice(0, columns - 1) + "…";
  }

  // What a box led to, in the whole width, and its callers above it.
  function zoom(to) {
    const start = to ? to.start : 0;
    const whole = to ? to.width : 1;
    for (const box of boxes) {
      const isCaller = to && box.depth < to.depth &&
        box.start <= start + LITTLE && box.start + box.width >= start + whole - LITTLE;
      const isInside = !to || box === to || (box.depth > to.depth &&
        box.start >= start - LITTLE && box.start + box.width <= start + whole + LITTLE);
      box.group.style.display = isCaller || isInside ? "" : "none";
      if (!isCaller && !isInside) continue;
      const x = margin + (isCaller ? 0 : inner * (box.start - start) / whole);
      const width = isCaller ? inner : inner * box.width / whole;
      box.rect.setAttribute("x", x);
      box.rect.setAttribute("width", Math.max(width - 0.4, 0.1));
      box.text.setAttribute("x", x + 3);
      box.text.textContent = label(box, width);
      box.group.classList.toggle("faded", Boolean(isCaller));
    }
    find("reset").textContent = to ? "show all" : "";
  }

  // The sum of what was found, each part once.
  function search() {
    const wanted = window.prompt("Functions that contain:");
    if (wanted === null) return;
    let until = -1;
    let sum = 0;
    const found = boxes.filter((box) => {
      const isFound = wanted !== "" && box.name.split("\n")[0].includes(wanted);
      box.group.classList.toggle("found", isFound);
      return isFound;
    });
    found.sort((a, b) => a.start - b.start || a.depth - b.depth);
    for (const box of found) {
      if (box.start + LITTLE < until) continue;
      sum += box.width;
      until = box.start + box.width;
    }
    hint.textContent = wanted === "" ? foot : wanted + ": " + (100 * sum).toFixed(1) + " %";
  }

  for (const box of boxes) {
    box.group.addEventListener("click", () => zoom(box));
    box.group.addEventListener("mouseenter", () => { hint.textContent = box.name.replaceAll("\n", "   "); });
    box.group.addEventListener("mouseleave", () => { hint.textContent = foot; });
  }
  find("reset").addEventListener("click", () => zoom(null));
  find("search").addEventListener("click", search);
})();
