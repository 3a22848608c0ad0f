// Flame graphs: trees of sums, their pictures, and the keys in them.

// A smaller part of the whole than this is left out of the pictures, and counted.
const SMALLEST = 0.0005;
const DEEPEST = 400;

// The tree of paths, each a list of names, a value, and what of it was before: in a difference, the value is that of both sides. What is
// too small is put together, and says so; what is too deep ends there.
function treeOf(root, paths) {
  const top = { name: root, value: 0, before: 0, byName: new Map() };
  for (const [names, value, before] of paths) {
    top.value += value;
    top.before += before;
    let node = top;
    for (const name of names.slice(0, DEEPEST)) {
      let child = node.byName.get(name);
      if (!child) {
        child = { name, value: 0, before: 0, byName: new Map() };
        node.byName.set(name, child);
      }
      child.value += value;
      child.before += before;
      node = child;
    }
  }
  const least = top.value * SMALLEST;
  const finish = (node) => {
    const all = [...node.byName.values()];
    const kept = all.filter((child) => child.value >= least).sort((a, b) => b.value - a.value);
    const small = all.filter((child) => child.value < least);
    const children = kept.map(finish);
    const rest = (field) => small.reduce((sum, child) => sum + child[field], 0);
    if (small.length) children.push({ name: `${count(small.length)} smaller`, value: rest('value'), before: rest('before'), children: [], isRest: true });
    return { name: node.name, value: node.value, before: node.before, children };
  };
  return finish(top);
}

function flameGraph(into, tree, sum, options = {}) {
  const { detail, isDown = true } = options;
  const graph = flamegraph.flamegraph ? flamegraph.flamegraph() : flamegraph.default();
  const describe = (node) => `${printable(node.data.name)}: ${page.telling.amount(node.data, sum)}`;
  graph
    .width(Math.max(into.clientWidth, 280))
    .cellHeight(19)
    .minFrameSize(1)
    .transitionDuration(0)
    .inverted(isDown)
    .resetHeightOnZoom(true)
    .sort((a, b) => b.data.value - a.data.value)
    .setColorMapper((node) => (node.highlight ? colour('found') : node.data.isRest ? colour('line') : page.telling.colour(node.data)))
    .getName((node) => printable(node.data.name))
    .setLabelHandler(describe)
    .onHover((node) => { detail.textContent = describe(node); })
    .onClick((node) => {
      detail.textContent = describe(node);
      options.chosen?.(node);
    });
  d3.select(into).datum(tree).call(graph);
  // Boxes and their names are there at once: on paper there is no later.
  d3.timerFlush();
  for (const box of into.querySelectorAll('g.frame')) d3.select(box).select('rect').interrupt().attr('width', box.getAttribute('width'));
  reachBoxes(into, { isDown, describe, detail });
  return graph;
}

// The boxes of a picture, by keys: Tab comes to one of them, the arrows go from there to those around it, Enter is a click.
function reachBoxes(into, { isDown, describe, detail }) {
  const boxes = () => d3.select(into).selectAll('g.frame');
  const place = (box) => d3.select(box).datum();
  let reached = null;
  const mark = () => {
    const all = boxes().nodes();
    if (!all.includes(reached)) reached = all.find((box) => place(box).depth === 0);
    boxes().attr('role', 'button').attr('aria-label', describe).attr('tabindex', function index() { return this === reached ? 0 : -1; });
  };
  const beside = (box, key) => {
    const { depth, x0, x1 } = place(box);
    const isInside = (a, b) => a.x0 >= b.x0 && a.x1 <= b.x1;
    const inner = isDown ? 'ArrowDown' : 'ArrowUp';
    const outer = isDown ? 'ArrowUp' : 'ArrowDown';
    const all = boxes().nodes().filter((one) => !place(one).data.hide).sort((a, b) => place(a).x0 - place(b).x0);
    return {
      [inner]: () => all.find((one) => place(one).depth === depth + 1 && isInside(place(one), { x0, x1 })),
      [outer]: () => all.find((one) => place(one).depth === depth - 1 && isInside({ x0, x1 }, place(one))),
      ArrowRight: () => all.find((one) => place(one).depth === depth && place(one).x0 >= x1),
      ArrowLeft: () => all.findLast((one) => place(one).depth === depth && place(one).x1 <= x0),
    }[key]?.();
  };
  const svg = into.querySelector('svg');
  svg.setAttribute('role', 'group');
  svg.setAttribute('aria-label', 'flame graph; the arrow keys go from box to box, Enter shows one in the whole width');
  svg.addEventListener('keydown', (event) => {
    const box = event.target.closest('g.frame');
    if (!box || !['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Enter', ' '].includes(event.key)) return;
    event.preventDefault();
    if (!event.key.startsWith('Arrow')) {
      box.dispatchEvent(new MouseEvent('click', { bubbles: true }));
      return;
    }
    // One that was drawn since has no mark yet, and takes no focus without it.
    const next = beside(box, event.key);
    next?.setAttribute('tabindex', '-1');
    next?.focus();
  });
  svg.addEventListener('focusin', (event) => {
    const box = event.target.closest('g.frame');
    if (!box) return;
    reached = box;
    mark();
    detail.textContent = describe(place(box));
  });
  // What is shown in the whole width has other boxes around it.
  svg.addEventListener('click', () => requestAnimationFrame(mark));
  mark();
}

// On paper a picture is as wide as the page.
function fitPicturesToPaper() {
  const pictures = () => document.querySelectorAll('.flame svg');
  window.addEventListener('beforeprint', () => pictures().forEach((svg) => {
    svg.setAttribute('viewBox', `0 0 ${svg.getAttribute('width')} ${svg.getAttribute('height')}`);
  }));
  window.addEventListener('afterprint', () => pictures().forEach((svg) => svg.removeAttribute('viewBox')));
}
