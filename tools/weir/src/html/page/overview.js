// What was run, what is wrong with it, and the numbers that matter most.

function showHead() {
  const show = () => {
    const of = subject();
    const command = commandLine(of.command);
    byId('command').textContent = (page.report.runs ?? 1) > 1 ? `first ${command}` : command;
    byId('command').title = command;
    const name = fileName(of.command[0] ?? page.data.file);
    document.title = `${state.process === null ? name : nameOfImage(state.process)} – Weir`;
    byId('about').textContent = (state.process === null ? aboutAll() : aboutProcess()).filter((text) => text).join(' · ');
  };
  watch(['process'], show);
  show();
}

const moment = ({ started_at: at }) => (at ? at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC') : null);

function aboutAll() {
  const { report, data } = page;
  const { images } = subject();
  const hasManyRuns = (report.runs ?? 1) > 1;
  return [
    moment(report),
    hasManyRuns ? `sum of ${counted(report.runs, 'run', 'runs')}` : `ran for ${time(report.duration_ns)}`,
    hasManyRuns ? null : printable(data.ending),
    images > 1 ? counted(images, 'process', 'processes') : null,
    `timed: ${report.timed_one_in > 1 ? `one allocation call in ${report.timed_one_in}` : report.timed_one_in ? 'all calls' : 'no calls'}`,
    printable(data.file),
  ];
}

function aboutProcess() {
  const of = subject();
  if (of.images > 1) {
    return [
      `${counted(of.images, 'process', 'processes')} in one entry`, moment(of),
      `${time(of.duration_ns)} from the first start to the last end`, printable(page.data.file),
    ];
  }
  return [
    moment(of), `${of.forked ? 'forked by' : 'executed, child of'} process ${of.parent_pid}`, printable(of.executable),
    `ran for ${time(of.duration_ns)}`, printable(of.ending), printable(page.data.file),
  ];
}

function showFindings() {
  const of = section('findings', 'Findings', () => {
    const many = (severity) => subject().findings.filter((one) => one.severity === severity).length;
    const counts = ['high', 'medium', 'low'].filter(many).map((severity) => `${many(severity)} ${severity}`).join(', ');
    return [counts, state.process === null ? '' : ofWhat()].filter((text) => text).join('; ');
  });
  const list = element('div', {});
  of.append(list);
  const show = () => list.replaceChildren(...findingsOfSubject());
  watch(['process'], show);
  show();
}

function findingsOfSubject() {
  const { findings } = subject();
  if (!findings.length) {
    const hasManyRuns = state.process === null && (page.report.runs ?? 1) > 1;
    const why = hasManyRuns ? 'Findings are for one run, and this is the sum of several.' : 'Nothing that the rules look for.';
    return [element('p', { class: 'remark' }, why)];
  }
  return [element('ol', { class: 'findings' }, ...findings.map((finding) => element('li', { class: finding.severity },
    element('span', { class: 'severity' }, finding.severity),
    element('div', {},
      element('p', {}, element('b', {}, `${finding.title}: `), printable(finding.evidence),
        finding.place ? element('span', { class: 'place' }, printable(`in ${finding.place}`)) : null),
      element('p', { class: 'remedy' }, `→ ${finding.remedy}`)))))];
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
  const cards = element('div', { class: 'cards' });
  byId('findings').append(cards);
  const show = () => cards.replaceChildren(...cardsOfSubject());
  watch(['process'], show);
  show();
}

function cardsOfSubject() {
  const of = subject();
  const { sums, heap, activities, files } = of;
  const peak = () => {
    if (!sums.is_heap_known) return ['not known', printable(heap.not_known ?? '')];
    if (sums.peak_at_once_bytes !== null) return [bytes(sums.peak_at_once_bytes), 'of all processes at one moment'];
    const remark = state.process !== null && of.images > 1 ? 'sum of their peaks, ' : '';
    return [bytes(heap.peak_bytes), `${remark}± ${bytes(heap.peak_error_bytes)}`];
  };
  const use = (field) => Object.values(files.kinds ?? {}).reduce((all, kind) => all + kind[field], 0);
  const activity = (name) => activities[name] ?? { calls: 0, total_ns: 0 };
  const cards = [
    card('calls', count(sums.calls), `${count(sums.errors)} failed`, 'functions'),
    card('allocated', bytes(sums.allocated_bytes), `in ${counted(sums.allocating_calls, 'call', 'calls')}`, 'functions'),
    card('heap peak', ...peak(), 'time'),
    card('live at the end', ...(sums.is_heap_known ? liveCard(heap) : ['not known', '']), 'stacks'),
    card('read', bytes(sums.read_bytes), `${time(use('read_ns'))} in ${counted(use('reads'), 'call', 'calls')}`, 'files'),
    card('written', bytes(sums.written_bytes), `${time(use('write_ns'))} in ${counted(use('writes'), 'call', 'calls')}`, 'files'),
    card('waits', time(activity('wait').total_ns), counted(activity('wait').calls, 'call', 'calls'), 'slowest'),
  ];
  if (activities.lock) cards.push(card('locks', time(activity('lock').total_ns), `${counted(activity('lock').calls, 'call', 'calls')} that waited`, 'functions'));
  return cards;
}

// What the report says of all processes together only.
function onlyOfAll() {
  if (state.process === null) return [];
  const parts = [
    page.report.missed.untraced?.length || page.report.missed.unlisted_starts ? 'programs that were not traced' : null,
    page.data.whole.sums.peak_at_once_bytes === null ? null : 'the largest heap of all processes at one moment',
    page.report.tool.writer_cpu_ns ? 'the time of the writer' : null,
  ].filter((text) => text);
  return parts.length ? [`The report has only for all processes together: ${parts.join('; ')}.`] : [];
}

function showMissed() {
  const of = section('missed', 'Not observed or not measured', ofWhat);
  const notes = element('ul', { class: 'notes' });
  const cost = element('p', { class: 'remark' });
  of.append(notes, cost);
  const show = () => {
    const { missed, tool } = subject();
    notes.replaceChildren(...[...missed, ...onlyOfAll()].map((text) => element('li', {}, printable(text))));
    cost.textContent = `Cost of the measurement: ${bytes(tool.region_bytes)} of shared memory`
      + `${tool.writer_bytes ? `, ${bytes(tool.writer_bytes)} for the writer in the program` : ''}; ${counted(tool.samples, 'sample', 'samples')} in `
      + `${counted(tool.writer_polls, 'poll', 'polls')}, ${time(tool.writer_cpu_ns)} of CPU time. Written by Weir ${printable(page.report.weir_version)}.`;
  };
  watch(['process'], show);
  show();
}
