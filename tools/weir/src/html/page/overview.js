// What was run, what is wrong with it, and the numbers that matter most.

function showHead() {
  const { report, data } = page;
  const command = commandLine(report.command);
  byId('command').textContent = (report.runs ?? 1) > 1 ? `first ${command}` : command;
  byId('command').title = command;
  document.title = `${fileName(report.command[0] ?? data.file)} – Weir`;
  const images = data.processes.reduce((sum, of) => sum + of.images, 0);
  const parts = [
    report.started_at ? report.started_at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC') : null,
    (report.runs ?? 1) > 1 ? `sum of ${counted(report.runs, 'run', 'runs')}` : `ran for ${time(report.duration_ns)}`,
    (report.runs ?? 1) > 1 ? null : printable(data.ending),
    images > 1 ? counted(images, 'process', 'processes') : null,
    `timed: ${report.timed_one_in > 1 ? `one allocation call in ${report.timed_one_in}` : report.timed_one_in ? 'all calls' : 'no calls'}`,
    printable(data.file),
  ];
  byId('about').textContent = parts.filter((text) => text).join(' · ');
}

function showFindings() {
  const { findings } = page.data;
  const counts = ['high', 'medium', 'low'].map((severity) => [severity, findings.filter((of) => of.severity === severity).length]);
  const remark = counts.filter(([, many]) => many).map(([severity, many]) => `${many} ${severity}`).join(', ');
  const of = section('findings', 'Findings', remark);
  if (!findings.length) {
    const why = (page.report.runs ?? 1) > 1 ? 'Findings are for one run, and this is the sum of several.' : 'Nothing that the rules look for.';
    of.append(element('p', { class: 'remark' }, why));
  }
  of.append(element('ol', { class: 'findings' }, ...findings.map((finding) => element('li', { class: finding.severity },
    element('span', { class: 'severity' }, finding.severity),
    element('div', {},
      element('p', {}, element('b', {}, `${finding.title}: `), printable(finding.evidence),
        finding.place ? element('span', { class: 'place' }, printable(`in ${finding.place}`)) : null),
      element('p', { class: 'remedy' }, `→ ${finding.remedy}`))))));
}

function card(title, value, remark, target) {
  const made = element(target ? 'a' : 'div', { class: 'card', href: target ? `#${target}` : null },
    element('span', { class: 'name' }, title), element('b', {}, value), element('small', {}, remark));
  if (target) made.addEventListener('click', (event) => jump(event, target));
  return made;
}

// Each process that was forked has again what was live then.
function liveCard(heap) {
  const blocks = counted(heap.live_blocks - heap.inherited_blocks, 'block', 'blocks');
  const remark = heap.inherited_bytes ? `${blocks}; and ${bytes(heap.inherited_bytes)} inherited at forks` : blocks;
  return [bytes(heap.live_bytes - heap.inherited_bytes), remark];
}

function showCards() {
  const { report } = page;
  const { sums } = page.data;
  const { heap } = report;
  const peak = () => {
    if (!sums.is_heap_known) return ['not known', printable(heap.not_known ?? '')];
    if (sums.peak_at_once_bytes !== null) return [bytes(sums.peak_at_once_bytes), 'of all processes at one moment'];
    return [bytes(heap.peak_bytes), `± ${bytes(heap.peak_error_bytes)}`];
  };
  const use = (field) => Object.values(report.files.kinds ?? {}).reduce((all, of) => all + of[field], 0);
  const activity = (name) => report.activities[name] ?? { calls: 0, total_ns: 0 };
  const cards = [
    card('calls', count(sums.calls), `${count(sums.errors)} failed`, 'functions'),
    card('allocated', bytes(sums.allocated_bytes), `in ${counted(sums.allocating_calls, 'call', 'calls')}`, 'functions'),
    card('heap peak', ...peak(), 'time'),
    card('live at the end', ...(sums.is_heap_known ? liveCard(heap) : ['not known', '']), 'stacks'),
    card('read', bytes(sums.read_bytes), `${time(use('read_ns'))} in ${counted(use('reads'), 'call', 'calls')}`, 'files'),
    card('written', bytes(sums.written_bytes), `${time(use('write_ns'))} in ${counted(use('writes'), 'call', 'calls')}`, 'files'),
    card('waits', time(activity('wait').total_ns), counted(activity('wait').calls, 'call', 'calls'), 'slowest'),
  ];
  if (report.activities.lock) cards.push(card('locks', time(activity('lock').total_ns), `${counted(activity('lock').calls, 'call', 'calls')} that waited`, 'functions'));
  byId('findings').append(element('div', { class: 'cards' }, ...cards));
}

function showMissed() {
  const { data, report } = page;
  const of = section('missed', 'Not observed or not measured');
  const { tool } = report;
  of.append(
    element('ul', { class: 'notes' }, ...data.missed.map((text) => element('li', {}, printable(text)))),
    element('p', { class: 'remark' }, `Cost of the measurement: ${bytes(tool.region_bytes)} of shared memory`
      + `${tool.writer_bytes ? `, ${bytes(tool.writer_bytes)} for the writer in the program` : ''}; ${counted(tool.samples, 'sample', 'samples')} in `
      + `${counted(tool.writer_polls, 'poll', 'polls')}, ${time(tool.writer_cpu_ns)} of CPU time. Written by Weir ${printable(report.weir_version)}.`));
}
