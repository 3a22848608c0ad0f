// The tables of a report.

// The time of all calls of a function; an estimate says how far it may be off.
function timeOfAll(cell) {
  const { total, error } = cell.getData();
  if (total === null) return NONE;
  return error ? `≈ ${time(total)} ±${Math.ceil((error * 100) / Math.max(total, 1))}%` : time(total);
}

// Where all samples were lost, nothing is known but sum and longest.
function hasPercentiles(latency) {
  return Boolean(latency) && latency.timed > latency.dropped;
}

function functionRows({ functions, times }) {
  return Object.entries(functions).filter(([, of]) => of.calls > 0).map(([name, of]) => ({
    name,
    family: of.family,
    calls: of.calls,
    errors: of.errors,
    bytes: of.requested_bytes,
    moved: of.moved_bytes,
    total: times[name]?.[0] ?? null,
    error: times[name]?.[1] ?? 0,
    p50: hasPercentiles(of.latency) ? of.latency.p50_ns : null,
    p99: hasPercentiles(of.latency) ? of.latency.p99_ns : null,
    max: of.latency?.max_ns,
  }));
}

function showFunctions() {
  const rows = perSubject(() => functionRows(subject()));
  const of = section('functions', 'Functions', () => `${ofWhat()}; click one for its latencies and sizes`);
  const opened = element('div', { id: 'function' });
  table(of, 'functions', [
    words('function', 'name'), words('family', 'family', { widthGrow: 1 }),
    number('calls', 'calls'), number('errors', 'errors'), number('requested', 'bytes', bytes), number('moved', 'moved', bytes),
    number('time', 'total', time, { formatter: timeOfAll, minWidth: 150 }), number('p50', 'p50', time), number('p99', 'p99', time), number('longest', 'max', time),
  ], rows, { sort: rows().some((row) => row.total) ? 'total' : 'calls', watched: ['process'], chosen: (row) => look({ function: row.name }) });
  of.append(opened);
  const show = () => showFunction(opened);
  watch(['function', 'process'], show);
  show();
}

function errorRows({ functions }) {
  const rows = [];
  for (const [name, of] of Object.entries(functions)) {
    let listed = 0;
    for (const [errno, calls] of Object.entries(of.errors_by_errno ?? {})) {
      rows.push({ name, errno, calls, share: share(calls, of.calls) });
      listed += calls;
    }
    if (of.errors > listed) rows.push({ name, errno: 'not recorded', calls: of.errors - listed, share: share(of.errors - listed, of.calls) });
  }
  return rows;
}

function showErrors() {
  if (!errorRows(page.report).length) return;
  const rows = perSubject(() => errorRows(subject()));
  const of = section('errors', 'Errors', ofWhat);
  table(of, 'errors', [
    words('function', 'name'), words('errno', 'errno'), number('calls', 'calls'),
    { title: 'of its calls', field: 'share', hozAlign: 'right', headerHozAlign: 'right', headerSort: false },
  ], rows, { sort: 'calls', watched: ['process'] });
}

function fileRows({ files: { listed, others, folded } }) {
  const row = (name, of) => ({
    name,
    kind: of.kind,
    opens: of.opens,
    calls: of.reads + of.writes + of.other_calls,
    errors: of.errors,
    read: of.read_bytes,
    written: of.written_bytes,
    mapped: of.mapped_bytes ?? 0,
    time: of.read_ns + of.write_ns + of.other_ns,
    random: of.random,
    slowest: of.slowest?.took_ns,
  });
  const rows = listed.map((of) => row(of.name || of.kind, of));
  const ofOthers = folded ? `${counted(folded, 'other', 'others')}, and descriptors of which nothing is known` : 'descriptors of which nothing is known';
  const together = row(ofOthers, others);
  if (folded || together.calls || together.opens || together.mapped) rows.push(together);
  return rows;
}

function showFiles() {
  if (!fileRows(page.report).length) return;
  const rows = perSubject(() => fileRows(subject()));
  const of = section('files', 'Files and sockets', ofWhat);
  table(of, 'files', [
    words('name', 'name', { front: true, widthGrow: 4, minWidth: 200 }), words('kind', 'kind', { widthGrow: 1, minWidth: 80 }),
    number('opens', 'opens'), number('calls', 'calls'), number('errors', 'errors'), number('read', 'read', bytes),
    number('written', 'written', bytes), number('mapped', 'mapped', bytes), number('random', 'random'), number('time', 'time', time),
    number('slowest', 'slowest', time),
  ], rows, { sort: 'time', watched: ['process'] });
}

function sumOf(functions, field) {
  return Object.values(functions).reduce((sum, of) => sum + (of[field] ?? 0), 0);
}

// Whether something from one time to another is in the range that is looked at.
function isInRange(from, to) {
  return !state.range || (from <= state.range[1] && to >= state.range[0]);
}

function showProcesses() {
  const all = page.report.processes.map((process, index) => ({
    index,
    pid: process.pid,
    parent: process.parent_pid,
    name: page.data.processes[index].images > 1
      ? `${count(page.data.processes[index].images)} of ${process.executable || 'several programs'}` : process.executable,
    command: process.command.join(' '),
    title: process.title,
    start: page.data.processes[index].offset_ns,
    took: process.duration_ns,
    calls: sumOf(process.functions, 'calls'),
    peak: process.heap.not_known ? null : process.heap.peak_bytes,
    live: process.heap.not_known ? null : process.heap.live_bytes,
    end: page.data.processes[index].ending,
  }));
  const rows = () => all.filter((row) => isInRange(row.start, row.start + row.took));
  const of = section('processes', 'Processes', canChooseProcess()
    ? 'that ran in the chosen range; choose one to see it alone in the whole page' : '');
  table(of, 'processes', [
    number('pid', 'pid', String), number('parent', 'parent', String), words('program', 'name', { front: true }),
    words('command', 'command', { widthGrow: 3 }), ...(all.some((row) => row.title) ? [words('title', 'title', { widthGrow: 2 })] : []),
    number('start', 'start', time), number('ran for', 'took', time),
    number('calls', 'calls'), number('heap peak', 'peak', bytes), number('live at end', 'live', bytes), words('end', 'end'),
  ], rows, {
    sort: 'calls',
    watched: ['range', 'process'],
    isMarked: (row) => row.index === state.process,
    chosen: canChooseProcess() ? (row) => {
      chooseProcess(row.index);
      window.scrollTo(0, 0);
      byId('all-processes').focus({ preventScroll: true });
    } : undefined,
  });
}

function showThreads() {
  const many = page.report.processes.reduce((sum, process) => sum + process.threads.length, 0);
  if (many < 2) return;
  const rows = perSubject(() => chosenImages().flatMap(({ process, offset }) => process.threads.map((thread) => ({
    pid: process.pid,
    tid: thread.tid,
    name: thread.tid ? thread.name : 'without a slot',
    threads: thread.threads,
    start: offset + thread.started_ns,
    calls: sumOf(thread.functions, 'calls'),
    bytes: sumOf(thread.functions, 'requested_bytes'),
    time: sumOf(thread.functions, 'total_ns'),
    live: thread.live_bytes,
  }))));
  const of = section('threads', 'Threads', () => `${ofWhat()}; those without a slot found no room of their own, and are counted together`);
  table(of, 'threads', [
    number('pid', 'pid', String), number('tid', 'tid', String), words('name', 'name'), number('threads', 'threads'),
    number('first call', 'start', time), number('calls', 'calls'), number('requested', 'bytes', bytes),
    number('timed calls took', 'time', time), number('allocated − freed', 'live', bytes, { minWidth: 160 }),
  ], rows, { sort: 'calls', watched: ['process'] });
}

function showCoroutines() {
  if (!page.report.coroutines) return;
  const row = (name, of) => ({
    name, pid: of.pid, calls: of.calls, moved: of.moved_bytes, waits: of.waits, wait: of.wait_ns, allocations: of.allocations, live: of.live_bytes,
  });
  const rows = perSubject(() => {
    const { coroutines } = subject();
    if (!coroutines) return [];
    const listed = coroutines.listed.map((of) => row(of.name || of.id, of));
    return coroutines.folded ? [...listed, row('others, together', coroutines.others)] : listed;
  });
  const of = section('coroutines', 'Coroutines', () => `${printable(page.report.coroutines.runtime)}; ${ofWhat()}`);
  table(of, 'coroutines', [
    words('name', 'name'), number('pid', 'pid', String), number('calls', 'calls'), number('moved', 'moved', bytes),
    number('waits', 'waits'), number('waited', 'wait', time), number('allocations', 'allocations'), number('allocated − freed', 'live', bytes, { minWidth: 160 }),
  ], rows, { sort: 'calls', watched: ['process'] });
}

function showSlowest() {
  const all = perSubject(() => chosenImages().flatMap(({ process, offset }) => [...process.slowest, ...process.longest_waits].map((call) => ({
    name: call.function,
    took: call.took_ns,
    at: offset + call.at_ns,
    size: call.size_bytes,
    fd: call.fd,
    pid: call.pid,
    tid: call.tid,
    ...lookedAt(call),
  }))));
  const everyLook = page.report.processes.flatMap((process) => [...process.slowest, ...process.longest_waits, ...(process.in_flight ?? [])].map(lookedAt));
  if (page.report.processes.some((process) => process.slowest.length + process.longest_waits.length)) {
    const of = section('slowest', 'Slowest calls', () => `${state.process === null ? 'of each process' : ofWhat()}; those in the chosen range`);
    table(of, 'slowest', [
      words('function', 'name'), number('took', 'took', time), number('at', 'at', time), number('size', 'size', bytes),
      number('fd', 'fd', String), number('pid', 'pid', String), number('tid', 'tid', String), ...looksColumns(everyLook),
    ], () => all().filter((row) => isInRange(row.at, row.at + row.took)), {
      sort: 'took', watched: ['range', 'process'], chosen: (row) => openFunction(row.name),
    });
  }
  const inFlight = perSubject(() => chosenImages().flatMap(({ process, index }) => (process.in_flight ?? []).map((call, at) => ({
    name: call.function,
    age: call.age_ns,
    file: call.file ?? call.kind ?? '',
    caller: page.data.processes[index].callers[at] ?? '',
    fd: call.fd,
    pid: process.pid,
    tid: call.tid,
    ...lookedAt(call),
  }))));
  const haveCallers = page.data.processes.some(({ callers }) => callers.some((caller) => caller !== null));
  if (page.report.processes.some((process) => process.in_flight?.length)) {
    const of = section('in-flight', 'Calls in flight', () => `that had not returned at the end; ${ofWhat()}`);
    table(of, 'in-flight', [
      words('function', 'name'), number('for', 'age', time), words('file or socket', 'file', { front: true }),
      ...(haveCallers ? [words('called by', 'caller')] : []),
      number('fd', 'fd', String), number('pid', 'pid', String), number('tid', 'tid', String), ...looksColumns(everyLook),
    ], inFlight, { sort: 'age', watched: ['process'] });
  }
}

function openFunction(name) {
  look({ function: name });
  byId('function').scrollIntoView();
}
