// The page of a report.

// The end of what has a time: processes that outlived the first one, too.
function endOf(data) {
  const ends = data.report.processes.map((process, index) => data.processes[index].offset_ns + process.duration_ns);
  return ends.reduce((a, b) => Math.max(a, b), data.report.duration_ns) || 1;
}

openPage(() => {
  page.report = page.data.report;
  page.end = endOf(page.data);
  page.telling = OF_ONE_REPORT;
  return {
    end: page.end,
    processes: page.report.processes.length,
    functions: Object.keys(page.report.functions),
    sums: page.data.sites?.sums.length ?? 0,
  };
}, () => {
  showHead();
  showFindings();
  showCards();
  showOverTime();
  showHeatMaps();
  showFunctions();
  showErrors();
  showFiles();
  showStacks('Call sites', 'where in the program the calls came from, in the whole run', (of) => {
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
