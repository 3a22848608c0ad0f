// Memory over time of both sides, each run from its own start.

// So many runs of a side have a line each.
const MOST_LINES = 20;

function showHeaps() {
  const of = section('time', 'Over time', 'each run from its own start; drag in a chart to look closer');
  const sides = page.data.timelines;
  if (!sides.flat().some(({ images }) => images.length)) {
    of.append(element('p', { class: 'remark' }, 'No report has a timeline.'));
    return;
  }
  const charts = element('div', { class: 'charts' });
  const remarks = SIDES.flatMap((side, index) => [
    sides[index].some(({ images }) => images.length) ? null : `${side}: no process ran long enough for a timeline, or the report is the sum of several runs.`,
    sides[index].length > MOST_LINES ? `${side}: shown are the first ${MOST_LINES} of ${count(sides[index].length)} runs.` : null,
  ]).filter((text) => text);
  const all = element('button', { type: 'button', click: () => look({ range: null }) }, 'all of it (Esc)');
  const range = element('span', { class: 'many', 'aria-live': 'polite' });
  of.append(element('div', { class: 'tools' }, range, all), charts, rangeSlider(), ...remarks.map((text) => element('p', { class: 'remark' }, text)));
  let drawn = [];
  const draw = () => {
    drawn.forEach((one) => one.remove());
    charts.replaceChildren();
    const [from, to] = state.range ?? [0, page.end];
    range.textContent = `${time(from)} to ${time(to)}`;
    all.disabled = state.range === null;
    const at = evenly(from, to);
    drawn = [
      heapChart(charts, 'Live heap of all processes', at, LIVE, ({ process }) => process.is_heap_known),
      heapChart(charts, 'Resident size of all processes', at, RESIDENT, () => true),
    ].filter((one) => one);
  };
  whenSeen(charts, draw);
  watch(['range'], oncePerFrame(draw));
}

function heapChart(into, title, at, value, isKnown) {
  const lines = SIDES.flatMap((side, index) => page.data.timelines[index].slice(0, MOST_LINES).map(({ images }, run, runs) => ({
    label: runs.length > 1 ? `${side} ${run + 1}` : side,
    colour: side,
    dash: side === 'before' ? [6, 4] : undefined,
    data: levelsAt(images.filter(isKnown), at, value),
  }))).filter(({ data }) => data.some((size) => size));
  if (!lines.length) return null;
  const place = element('div', { class: 'chart' }, element('h3', {}, title,
    ...SIDES.map((side) => element('small', {}, element('span', { class: `line ${side}` }), side))));
  into.append(place);
  return chartOverTime(place, 260, lines.map(({ data: _, ...line }) => line), [at, ...lines.map(({ data }) => data)], { unit: 'bytes', show: bytes }, {
    // A legend of many runs says nothing.
    more: { legend: { show: lines.length <= 4, live: true } },
  });
}
