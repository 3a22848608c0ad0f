// Runs before all scripts of the page: notes whatever goes wrong in it.
window.failures = [];
window.addEventListener('error', (event) => failures.push(`error: ${event.message}`));
window.addEventListener('unhandledrejection', (event) => failures.push(`rejected: ${event.reason}`));
document.addEventListener('securitypolicyviolation', (event) => failures.push(`forbidden: ${event.violatedDirective} ${event.blockedURI}`));
for (const level of ['error', 'warn']) console[level] = (...words) => failures.push(`${level}: ${words.join(' ')}`);
