// What all charts share: colours, axes, their width, and the range of time that is chosen.

const charts = new Set();

// A colour of the style.
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axis(show, options = {}) {
  return {
    stroke: () => colour('text-soft'),
    grid: { stroke: () => colour('line'), width: 1 },
    ticks: { stroke: () => colour('line'), width: 1 },
    font: '11px system-ui, sans-serif',
    size: 76,
    values: (_, marks) => marks.map((mark) => (mark === null ? '' : show(mark))),
    ...options,
  };
}

// Round steps: of bytes, powers of two.
const BINARY = Array.from({ length: 60 }, (_, power) => 2 ** power);
const DECIMAL = Array.from({ length: 17 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

function steps(unit) {
  return { bytes: BINARY, count: DECIMAL, time: DECIMAL }[unit];
}

// The axis of time, in nanoseconds.
function timeAxis() {
  return axis(time, { size: 34, space: 90, incrs: DECIMAL });
}

// A chart in an element. It is as wide as that, and drawn anew where the colours change.
function chart(into, height, options, data) {
  const made = new uPlot({
    width: Math.max(into.clientWidth, 280),
    height,
    legend: { show: true, live: true },
    ...options,
  }, data, into);
  const width = new ResizeObserver(() => {
    const wide = Math.max(into.clientWidth, 280);
    if (wide !== made.width) made.setSize({ width: wide, height });
  });
  width.observe(into);
  charts.add(made);
  return {
    chart: made,
    remove: () => {
      width.disconnect();
      charts.delete(made);
      made.destroy();
    },
  };
}

function drawCharts() {
  for (const one of charts) one.redraw(false, true);
}

// A chart over time: dragging chooses a range, and the one that is chosen is marked.
function chartOverTime(into, height, series, data, { show, mark, unit }, options = {}) {
  return chart(into, height, {
    scales: { x: { time: false, range: (_, from, to) => (from === to ? [from, from + 1] : [from, to]) },
      y: { range: (_, from, to) => [Math.min(0, from ?? 0), to > 0 ? to * 1.05 : 1] } },
    axes: [timeAxis(), axis(mark ?? show, { incrs: steps(unit) })],
    cursor: { sync: { key: 'time' }, drag: { x: true, y: false, setScale: false }, points: { size: 5 } },
    select: { show: true },
    series: [{ label: 'at', value: (_, at) => (at === null ? NONE : time(at)) }, ...series.map((one) => ({
      width: 1.5,
      points: { show: false },
      value: (_, number) => (number === null || number === undefined ? NONE : show(number)),
      ...one,
      stroke: () => colour(one.colour),
      fill: one.filled ? () => `${colour(one.colour)}22` : undefined,
    }))],
    hooks: {
      draw: [(of) => markRange(of), ...(options.draw ?? [])],
      setSelect: [(of) => {
        const { left, width } = of.select;
        if (width < 2) return;
        const range = [of.posToVal(left, 'x'), of.posToVal(left + width, 'x')];
        of.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        chooseRange(range);
      }],
    },
    ...options.more,
  }, data);
}

function markRange(of) {
  if (!state.range) return;
  const { ctx, bbox } = of;
  const [from, to] = state.range.map((at) => of.valToPos(at, 'x', true));
  const right = bbox.left + bbox.width;
  ctx.save();
  ctx.fillStyle = colour('outside');
  const inside = (at) => Math.min(Math.max(at, bbox.left), right);
  ctx.fillRect(bbox.left, bbox.top, inside(from) - bbox.left, bbox.height);
  ctx.fillRect(inside(to), bbox.top, right - inside(to), bbox.height);
  ctx.restore();
}

// Looks at a range of time, or at all of it where that is chosen.
function chooseRange(range) {
  const [first, last] = page.span();
  const from = Math.max(first, Math.min(...range));
  const to = Math.min(last, Math.max(...range));
  const isAll = from <= first && to >= last;
  look({ range: isAll || to <= from ? null : [from, to] });
}

// Two handles for a keyboard and for fingers.
function rangeSlider() {
  const STEPS = 1000;
  const handle = (label, value) => element('input', { type: 'range', min: 0, max: STEPS, step: 1, value, 'aria-label': label });
  const from = handle('from', 0);
  const to = handle('up to', STEPS);
  const chosen = () => {
    const [first, last] = page.span();
    chooseRange([from.value, to.value].map((value) => first + (Number(value) / STEPS) * (last - first)));
  };
  from.addEventListener('input', chosen);
  to.addEventListener('input', chosen);
  const show = () => {
    const [first, last] = page.span();
    const [low, high] = state.range ?? [first, last];
    from.value = Math.round(((low - first) / (last - first)) * STEPS);
    to.value = Math.round(((high - first) / (last - first)) * STEPS);
  };
  show();
  watch(['range', 'process'], show);
  return element('div', { class: 'slider' }, element('label', {}, 'from ', from), element('label', {}, 'up to ', to));
}
