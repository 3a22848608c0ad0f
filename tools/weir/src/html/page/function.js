// All about one function: its latencies as a histogram, sizes, errors, processes.

// How many classes an octave of the drawn histogram has.
const PER_OCTAVE = 4;

let drawnHistogram = null;

function showFunction(into) {
  drawnHistogram?.remove();
  drawnHistogram = null;
  into.replaceChildren();
  const name = state.function;
  if (name === null) return;
  const of = subject().functions[name];
  const close = element('button', { type: 'button', click: () => look({ function: null }) }, 'close (Esc)');
  if (!of) {
    into.append(element('div', { class: 'opened' }, element('h3', {}, printable(name), close),
      element('p', { class: 'remark' }, 'This process did not call it.')));
    return;
  }
  into.append(element('div', { class: 'opened' },
    element('h3', {}, name, element('small', {}, of.family), close),
    facts(of), histogramOf(name, of), sizesOf(of), state.process === null ? processesOf(name) : null));
}

function facts(of) {
  const pairs = [['calls', count(of.calls)], ['errors', count(of.errors)]];
  if (of.requested_bytes) pairs.push(['requested', bytes(of.requested_bytes)]);
  if (of.moved_bytes) pairs.push(['moved', bytes(of.moved_bytes)]);
  const timed = of.latency;
  if (timed) {
    pairs.push(['timed', count(timed.timed)], ['mean', time(timed.mean_ns)]);
    const percentiles = [['p50', 'p50_ns'], ['p90', 'p90_ns'], ['p99', 'p99_ns'], ['p99.9', 'p99_9_ns']];
    if (hasPercentiles(timed)) pairs.push(...percentiles.map(([label, field]) => [label, time(timed[field])]));
    pairs.push(['longest', time(timed.max_ns)]);
    if (timed.dropped) pairs.push(['not in the percentiles', counted(timed.dropped, 'call', 'calls')]);
  }
  if (of.estimated) pairs.push(['all calls, estimated', `${time(of.estimated.total_ns)} ± ${time(of.estimated.error_ns)}`]);
  if (of.looks) pairs.push(['slow calls', looksInFull(of.looks)]);
  return element('div', { class: 'facts' }, ...pairs.map(([label, text]) => element('span', { class: 'pair' }, `${label} `, element('b', {}, text))));
}

// Calls by the logarithm of their time.
function logarithmic(classes, from, many) {
  const made = new Array(many).fill(0);
  for (const [low, , calls] of classes) {
    made[Math.floor(Math.log2(Math.max(low, 1)) * PER_OCTAVE) - from] += calls;
  }
  return made;
}

function histogramOf(name, of) {
  const histograms = subject().histograms[name];
  if (!histograms) return element('p', { class: 'remark' }, 'No call was timed.');
  const parts = [['all', 'calls', 'read'], ['wait', 'waits', 'write'], ['transfer', 'transfers', 'heap']]
    .filter(([part]) => histograms[part]?.length);
  const lows = parts.flatMap(([part]) => histograms[part].map(([low]) => Math.max(low, 1)));
  // One empty class on each side.
  const from = Math.floor(Math.log2(lows.reduce((a, b) => Math.min(a, b))) * PER_OCTAVE) - 1;
  const upTo = Math.floor(Math.log2(lows.reduce((a, b) => Math.max(a, b))) * PER_OCTAVE) + 1;
  const many = upTo - from + 1;
  const at = Array.from({ length: many }, (_, index) => from + index);
  const data = [at, ...parts.map(([part]) => logarithmic(histograms[part], from, many))];
  const place = element('div', { class: 'chart' });
  const startOf = (index) => 2 ** (index / PER_OCTAVE);
  const bars = uPlot.paths.bars({ size: [0.9], align: 1 });
  const latency = of.latency;
  const marks = hasPercentiles(latency) ? [['p50', latency.p50_ns], ['p99', latency.p99_ns]] : [];
  let isLogarithmic = false;
  const draw = () => {
    drawnHistogram?.remove();
    place.replaceChildren();
    const shown = isLogarithmic ? data.map((row, index) => (index ? row.map((calls) => calls || null) : row)) : data;
    drawnHistogram = chart(place, 200, {
      scales: {
        x: { time: false, range: [from, upTo + 1] },
        y: isLogarithmic ? { distr: 3 } : { range: (_, low, high) => [0, high * 1.05] },
      },
      axes: [axis((index) => time(startOf(index)), { size: 34, space: 70, incrs: [1, 2, 4, 8, 16, 32] }), axis(compact, { incrs: DECIMAL })],
      series: [{ label: 'from', value: (_, index) => (index === null ? NONE : `${time(startOf(index))} to ${time(startOf(index + 1))}`) },
        ...parts.map(([, label, colourName]) => ({
          label,
          paths: bars,
          points: { show: false },
          stroke: () => colour(colourName),
          fill: () => `${colour(colourName)}88`,
          value: (_, calls) => (calls === null ? '0' : count(calls)),
        }))],
      cursor: { drag: { x: false, y: false } },
      hooks: { draw: [(plot) => marks.forEach(([label, ns], line) => markLatency(plot, label, ns, line))] },
    }, shown);
  };
  requestAnimationFrame(draw);
  const scale = element('label', {}, element('input', { type: 'checkbox', change: (event) => {
    isLogarithmic = event.target.checked;
    draw();
  } }), ' logarithmic');
  const calls = histograms.all.reduce((sum, [, , of]) => sum + of, 0);
  return element('div', {}, element('div', { class: 'tools' }, `Latency of ${counted(calls, 'timed call', 'timed calls')} `, scale), place);
}

function markLatency(plot, label, ns, line) {
  const { ctx, bbox } = plot;
  const at = plot.valToPos(Math.log2(Math.max(ns, 1)) * PER_OCTAVE, 'x', true);
  ctx.save();
  ctx.strokeStyle = colour('text-soft');
  ctx.fillStyle = colour('text-soft');
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.setLineDash([4, 3]);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillText(label, at + 3 * devicePixelRatio, bbox.top + (11 + 12 * line) * devicePixelRatio);
  ctx.restore();
}

function sizesOf(of) {
  const classes = of.size_classes ?? [];
  if (!classes.length) return null;
  const most = classes.reduce((max, one) => Math.max(max, one.calls), 0);
  const rows = classes.map((one) => {
    const bar = element('span', { class: 'bar' });
    bar.style.width = `${(one.calls * 100) / most}%`;
    const range = one.from_bytes === one.to_bytes ? bytes(one.from_bytes) : `${bytes(one.from_bytes)} to ${bytes(one.to_bytes)}`;
    return element('tr', {}, element('th', {}, range), element('td', { class: 'part' }, bar, count(one.calls)));
  });
  return element('details', { open: true }, element('summary', {}, 'Requested sizes'), element('table', { class: 'sizes' }, ...rows));
}

function processesOf(name) {
  const users = page.report.processes
    .map((process) => ({ process, of: process.functions[name] }))
    .filter(({ of }) => of?.calls)
    .sort((a, b) => b.of.calls - a.of.calls);
  if (users.length < 2) return null;
  const rows = users.slice(0, 20).map(({ process, of }) => element('tr', {},
    element('th', {}, `${process.pid} ${processName(process)}`),
    element('td', {}, count(of.calls)), element('td', {}, hasPercentiles(of.latency) ? time(of.latency.p50_ns) : NONE),
    element('td', {}, hasPercentiles(of.latency) ? time(of.latency.p99_ns) : NONE)));
  const head = element('tr', {}, ...['process', 'calls', 'p50', 'p99'].map((title) => element('th', {}, title)));
  return element('details', {}, element('summary', {}, `Processes (${users.length})`), element('table', { class: 'sizes' }, head, ...rows));
}
