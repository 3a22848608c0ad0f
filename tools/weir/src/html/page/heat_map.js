// How long calls took over time: a column for each piece of time, a row for each half octave, the darker the more calls.

const HEAT_COLUMNS = 200;

// What activities are called, in their order here. Others, of a later Weir, follow by their own names.
const ACTIVITIES = {
  transfer: 'Transfer: read, write, sync',
  wait: 'Waits',
  lock: 'Locks',
  memory_map: 'Memory maps',
  other: 'Other system calls',
};

function titleOfActivity(name) {
  const words = name.replaceAll('_', ' ');
  return ACTIVITIES[name] ?? printable(words.charAt(0).toUpperCase() + words.slice(1));
}

// Row r has the latencies from 2^(r/2) to 2^((r+1)/2) nanoseconds.
const rowStart = (row) => 2 ** (row / 2);

// The cells of each activity on one grid: from the row to the calls of each column.
function heatOverTime(range) {
  const [from, to] = range;
  const width = (to - from) / HEAT_COLUMNS;
  const activities = {};
  for (const { process, offset } of chosenImages()) {
    const grid = process.latency_over_time;
    if (!grid) continue;
    for (const [name, cells] of Object.entries(grid.activities)) {
      const rows = (activities[name] ??= new Map());
      for (const [column, row, samples] of cells) {
        // The last column may reach beyond the end.
        const middle = offset + Math.min((column + 0.5) * grid.interval_ns, process.duration_ns);
        const place = Math.min(Math.floor((middle - from) / width), middle <= to ? HEAT_COLUMNS - 1 : Infinity);
        if (place < 0 || place >= HEAT_COLUMNS) continue;
        if (!rows.has(row)) rows.set(row, new Array(HEAT_COLUMNS).fill(0));
        rows.get(row)[place] += samples;
      }
    }
  }
  return activities;
}

function showHeatMaps() {
  if (!page.report.processes.some((process) => process.latency_over_time)) return;
  const of = section('latency', 'Latency over time', () => `how long calls took, by what they were for; ${ofWhat()}, in the chosen range`);
  const maps = element('div', { class: 'charts' });
  of.append(maps);
  let drawn = [];
  const draw = () => {
    drawn.forEach((one) => one.remove());
    maps.replaceChildren();
    drawn = [];
    const range = state.range ?? page.span();
    const activities = heatOverTime(range);
    const known = Object.keys(ACTIVITIES);
    const others = Object.keys(activities).filter((name) => !known.includes(name)).sort();
    for (const name of [...known, ...others]) {
      if (activities[name]?.size) drawn.push(heatMap(maps, name, activities[name], range));
    }
    if (!drawn.length) maps.append(element('p', { class: 'remark' }, 'No timed call in the chosen range.'));
  };
  whenSeen(maps, draw);
  watch(['range', 'process'], oncePerFrame(draw));
}

function heatMap(into, name, rows, [from, to]) {
  const place = element('div', { class: 'chart heat' }, element('h3', {}, titleOfActivity(name)));
  into.append(place);
  const width = (to - from) / HEAT_COLUMNS;
  const at = Array.from({ length: HEAT_COLUMNS }, (_, column) => from + (column + 0.5) * width);
  const used = [...rows.keys()];
  const low = Math.min(...used);
  const high = Math.max(...used) + 1;
  const most = Math.max(...[...rows.values()].map((row) => Math.max(...row)));
  const sums = at.map((_, column) => [...rows.values()].reduce((sum, row) => sum + row[column], 0));
  const all = sums.reduce((sum, number) => sum + number, 0);
  const drawCells = (of) => {
    const { ctx } = of;
    ctx.save();
    for (const [row, cells] of rows) {
      const top = of.valToPos(row + 1, 'y', true);
      const bottom = of.valToPos(row, 'y', true);
      cells.forEach((samples, column) => {
        if (!samples) return;
        const left = of.valToPos(from + column * width, 'x', true);
        const right = of.valToPos(from + (column + 1) * width, 'x', true);
        ctx.globalAlpha = 0.15 + 0.85 * (Math.log1p(samples) / Math.log1p(most));
        ctx.fillStyle = colour('heat');
        ctx.fillRect(left, top, Math.max(1, right - left), Math.max(1, bottom - top));
      });
    }
    ctx.restore();
  };
  const rowLabel = (row) => time(rowStart(row));
  const made = chartOverTime(place, 180, [{ label: 'calls', colour: 'heat', show: true, paths: () => null, scale: 'calls' }],
    [at, sums], { unit: 'count', show: count }, {
      draw: [drawCells],
      more: {
        scales: {
          x: { time: false, range: [from, to] },
          y: { range: [low, high] },
          calls: { range: [0, 1] },
        },
        axes: [timeAxis(), axis(rowLabel, {
          scale: 'y',
          splits: () => splits(low, high),
        })],
      },
    });
  place.append(element('p', { class: 'remark' }, `${counted(all, 'timed call', 'timed calls')}: ${percentilesOf(rows, all)}`));
  return made;
}

// At most nine marks.
function splits(low, high) {
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const made = [];
  for (let row = low; row <= high; row += step) made.push(row);
  return made;
}

// Between which times the calls of some percentiles lie.
function percentilesOf(rows, all) {
  const inOrder = [...rows.entries()].sort(([a], [b]) => a - b)
    .map(([row, cells]) => [row, cells.reduce((sum, samples) => sum + samples, 0)]);
  return [50, 90, 99].map((percent) => {
    const rank = Math.max(1, Math.ceil((all * percent) / 100));
    let seen = 0;
    for (const [row, samples] of inOrder) {
      seen += samples;
      if (seen >= rank) return `p${percent} ${time(rowStart(row))} to ${time(rowStart(row + 1))}`;
    }
    return '';
  }).filter((text) => text).join(', ');
}
