// The page of a report.

// The end of what has a time: processes that outlived the first one, too.
function endOf(data) {
  const ends = data.report.processes.map((process, index) => data.processes[index].offset_ns + process.duration_ns);
  return ends.reduce((a, b) => Math.max(a, b), data.report.duration_ns) || 1;
}

openPage(() => {
  page.report = page.data.report;
  page.end = endOf(page.data);
  page.opensAt = canChooseProcess() ? page.data.opens_at : null;
  page.telling = OF_ONE_REPORT;
  page.span = () => [subject().from, subject().to];
  page.sites = sitesOfSubject;
  return {
    end: page.end,
    processes: canChooseProcess() ? page.report.processes.length : 0,
    functions: Object.keys(page.report.functions),
    sums: page.data.sites?.sums.length ?? 0,
  };
}, () => {
  showSubject();
  showHead();
  showFindings();
  showCards();
  showOverTime();
  showHeatMaps();
  showFunctions();
  showErrors();
  showFiles();
  showStacks('Call sites', () => `where in the program the calls came from; ${ofWhat()}`, (of) => {
    showFlat(of);
    showSites(of);
    notesOf(of);
  });
  showSlowest();
  showProcesses();
  showThreads();
  showCoroutines();
  showMissed();
});
