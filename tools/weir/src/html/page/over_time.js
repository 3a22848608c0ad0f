// Counters over time, and the range of it that is looked at.

const COUNTERS = ['alloc_calls', 'alloc_bytes', 'io_calls', 'read_bytes', 'written_bytes', 'copied_bytes'];
const USAGE = ['minor_faults', 'major_faults', 'user_ns', 'system_ns'];

// Those that have a timeline.
function tracked() {
  return chosenImages().filter(({ process }) => process.timeline.points.length > 1);
}

// What a counter of an image is at a time: between two points that know it, it grows evenly.
function counterAt(image, name, at) {
  const { points, value, from } = counterOf(image, name);
  const last = points.length - 1;
  const since = at - image.offset;
  if (since <= 0 || last < 0) return 0;
  if (since >= points[last].at_ns) return value(points[last]) - from;
  const after = last > 0 && since > points[0].at_ns ? firstAfter(points, since) : 0;
  const [lowAt, low] = after > 0 ? [points[after - 1].at_ns, value(points[after - 1])] : [0, from];
  const part = (since - lowAt) / (points[after].at_ns - lowAt);
  return low + (value(points[after]) - low) * part - from;
}

// The points of an image that know a counter, and what its process had of it when the image started.
function counterOf({ process, index }, name) {
  if (!USAGE.includes(name)) return { points: process.timeline.points, value: (point) => point[name] ?? 0, from: 0 };
  const known = usageOf(index);
  return { points: known.points, value: (point) => point.usage[name], from: known.before?.[name] ?? 0 };
}

const usages = new Map();

// Where an image's process ran another one before, its usage begins with what that one had.
function usageOf(index) {
  if (!usages.has(index)) {
    const { pid, timeline } = page.report.processes[index];
    const before = page.report.processes.findLastIndex((of, other) => other < index && of.pid === pid);
    const points = timeline.points.filter((point) => point.usage);
    const earlier = before < 0 ? null : usageOf(before);
    usages.set(index, { points, before: earlier?.points.at(-1)?.usage ?? earlier?.before ?? null });
  }
  return usages.get(index);
}

// Sums over processes at evenly spaced times.
function seriesOverTime(processes, [from, to]) {
  const at = evenly(from, to);
  const known = processes.filter(({ process }) => !process.heap.not_known);
  const made = { at, live: levelsAt(known, at, LIVE), resident: levelsAt(processes, at, RESIDENT), threads: levelsAt(processes, at, THREADS), counters: {} };
  for (const name of [...COUNTERS, ...USAGE]) made.counters[name] = at.map(() => 0);
  for (const tracked of processes) {
    const { process, offset } = tracked;
    const hasUsage = process.timeline.points.some((point) => point.usage);
    const names = hasUsage ? [...COUNTERS, ...USAGE] : COUNTERS;
    for (let column = columnOf(offset, at); column < at.length; column += 1) {
      for (const name of names) made.counters[name][column] += counterAt(tracked, name, at[column]);
    }
  }
  return made;
}

// For each second, what a counter grew in the time before each column: between it and the one before, or in so many nanoseconds.
function rates(series, name, least = 0) {
  const counter = series.counters[name];
  const width = series.at[1] - series.at[0];
  const columns = Math.max(1, Math.ceil(least / width));
  return series.at.map((at, column) => {
    if (column === 0) return 0;
    const from = Math.max(0, column - columns);
    return (Math.max(0, counter[column] - counter[from]) * 1e9) / (at - series.at[from]);
  });
}

// The kernel counts CPU time in ticks of 10 ms: over less than some of them there is none, or too much.
const TICKS_NS = 1e8;

const perSecond = (unit) => ({
  unit,
  show: (number) => `${SHOWN[unit](number)}/s`,
  mark: (number) => `${(unit === 'count' ? compact : SHOWN[unit])(number)}/s`,
});

// Of how many processors' time.
const PROCESSORS = { unit: undefined, show: (number) => number.toFixed(number < 9.95 ? 2 : 1) };

function showOverTime() {
  const of = section('time', 'Over time', () => `${ofWhat()}; drag in a chart to choose a range`);
  if (!page.report.processes.some((process) => process.timeline.points.length > 1)) {
    const why = (page.report.runs ?? 1) > 1 ? 'This is the sum of several runs, which has no timeline.' : 'No process ran long enough for a timeline.';
    of.append(element('p', { class: 'remark' }, why));
    return;
  }
  const charts = element('div', { class: 'charts' });
  const chosen = element('div', { class: 'chosen' });
  const lacks = element('p', { class: 'remark' });
  of.append(lacks, charts, rangeSlider(), chosen);
  let drawn = [];
  const draw = () => {
    drawn.forEach((one) => one.remove());
    charts.replaceChildren();
    drawn = chartsOf(seriesOverTime(tracked(), page.span()), charts);
    lacks.textContent = lacksOverTime();
    lacks.hidden = !lacks.textContent;
    showChosen(chosen);
  };
  whenSeen(charts, draw);
  watch(['process'], draw);
  watch(['range'], oncePerFrame(() => {
    drawCharts();
    showChosen(chosen);
  }));
}

// What the report does not have of the process that is looked at.
function lacksOverTime() {
  const process = chosenProcess();
  if (!process) return '';
  const { points } = process.timeline;
  if (points.length < 2) return 'The report has no timeline of this process: it ran too briefly.';
  if (points.some((point) => point.usage)) return '';
  return process.folded ? 'Resident size, CPU time and page faults are not known of processes that share an entry.'
    : 'Resident size, CPU time and page faults of this process are not known: nobody read them while it ran.';
}

function chartsOf(series, into) {
  const made = [];
  const add = (title, lines, unit) => {
    const known = lines.filter(({ data }) => data.some((number) => number));
    if (!known.length) return;
    const place = element('div', { class: 'chart' }, element('h3', {}, title));
    into.append(place);
    const data = [series.at, ...known.map((line) => line.data)];
    made.push(chartOverTime(place, 150, known.map(({ data: _, ...line }) => line), data, unit));
  };
  add(series.resident.some((size) => size) ? 'Heap and resident size' : 'Heap', [
    { label: 'live heap', colour: 'heap', filled: true, data: series.live },
    { label: 'resident', colour: 'resident', data: series.resident },
  ], { unit: 'bytes', show: bytes });
  add('Allocation', [{ label: 'requested', colour: 'heap', filled: true, data: rates(series, 'alloc_bytes') }], perSecond('bytes'));
  add('Allocation calls, with frees', [{ label: 'calls', colour: 'heap', data: rates(series, 'alloc_calls') }], perSecond('count'));
  add('I/O', [
    { label: 'read', colour: 'read', filled: true, data: rates(series, 'read_bytes') },
    { label: 'written', colour: 'write', data: rates(series, 'written_bytes') },
    { label: 'copied', colour: 'system', data: rates(series, 'copied_bytes') },
  ], perSecond('bytes'));
  add('I/O calls', [{ label: 'calls', colour: 'read', data: rates(series, 'io_calls') }], perSecond('count'));
  add('Threads', [{ label: 'threads', colour: 'user', data: series.threads }], { unit: 'count', show: count, mark: compact });
  const inProcessors = (name) => rates(series, name, TICKS_NS).map((ns) => ns / 1e9);
  add('CPU, in processors', [
    { label: 'user', colour: 'user', filled: true, data: inProcessors('user_ns') },
    { label: 'system', colour: 'system', data: inProcessors('system_ns') },
  ], PROCESSORS);
  add('Page faults', [
    { label: 'minor', colour: 'resident', data: rates(series, 'minor_faults') },
    { label: 'major', colour: 'write', data: rates(series, 'major_faults') },
  ], perSecond('count'));
  return made;
}

// The numbers of the range.
function numbersOf(range) {
  const [from, to] = range;
  const sums = Object.fromEntries([...COUNTERS, ...USAGE].map((name) => [name, 0]));
  let withUsage = 0;
  let running = 0;
  for (const image of tracked()) {
    const { process, offset } = image;
    const { points } = process.timeline;
    if (offset > to || offset + process.duration_ns < from) continue;
    const { images } = page.data.processes[image.index];
    running += images;
    withUsage += points.some((point) => point.usage) ? images : 0;
    for (const name of Object.keys(sums)) {
      sums[name] += counterAt(image, name, to) - counterAt(image, name, from);
    }
  }
  return { ...sums, withUsage, running };
}

// When the sum of all images' threads changed, and by how much, in the order of time.
const threadChanges = new Map();

function changesOfThreads() {
  if (!threadChanges.has(state.process)) {
    const made = [];
    for (const { process, offset } of tracked()) {
      let had = 0;
      for (const point of process.timeline.points.filter((of) => THREADS(of) !== null)) {
        made.push([offset + point.at_ns, point.threads - had]);
        had = point.threads;
      }
      if (had) made.push([offset + process.duration_ns, -had]);
    }
    threadChanges.set(state.process, made.sort(([one], [other]) => one - other));
  }
  return threadChanges.get(state.process);
}

// The most threads that all images together had at a time of the range; null where that is not known.
function mostThreads([from, to]) {
  const changes = changesOfThreads();
  let now = 0;
  let most = 0;
  for (const [at, by] of changes) {
    if (at > to) break;
    // What was there when the range begins.
    if (at > from) most = Math.max(most, now);
    now += by;
  }
  return changes.length ? Math.max(most, now) : null;
}

// How many images ran in a range, those without a timeline, too.
function imagesIn([from, to]) {
  return chosenImages().filter(({ process, offset }) => offset <= to && offset + process.duration_ns >= from)
    .reduce((sum, { index }) => sum + page.data.processes[index].images, 0);
}

function showChosen(into) {
  const range = state.range ?? page.span();
  const numbers = numbersOf(range);
  const pairs = [
    ['time', `${time(range[0])} to ${time(range[1])}`],
    ['processes with a timeline', `${count(numbers.running)} of ${count(imagesIn(range))}`],
    ['allocation calls, with frees', count(numbers.alloc_calls)],
    ['requested', bytes(numbers.alloc_bytes)],
    ['I/O calls', count(numbers.io_calls)],
    ['read', bytes(numbers.read_bytes)],
    ['written', bytes(numbers.written_bytes)],
  ];
  if (numbers.copied_bytes) pairs.push(['copied', bytes(numbers.copied_bytes)]);
  const threads = mostThreads(range);
  if (threads !== null) pairs.push(['threads, up to', count(threads)]);
  if (numbers.withUsage) {
    // What ends within 5 ms is not read, nor is the last stretch of any.
    const of = numbers.withUsage < imagesIn(range) ? ` in ${count(numbers.withUsage)} of ${count(imagesIn(range))} processes` : '';
    pairs.push([`CPU, at least${of}`, time(numbers.user_ns + numbers.system_ns)]);
    pairs.push(['page faults, at least', `${count(numbers.minor_faults)} minor, ${count(numbers.major_faults)} major`]);
  }
  into.replaceChildren(
    element('strong', {}, state.range ? 'In the chosen range: ' : 'In all: '),
    ...pairs.map(([name, text]) => element('span', { class: 'pair' }, `${name} `, element('b', {}, text))),
    state.range ? element('button', { type: 'button', click: () => look({ range: null }) }, 'all of it (Esc)') : '',
  );
}
