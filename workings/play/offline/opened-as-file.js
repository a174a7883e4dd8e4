// Browsers load modules from web servers only. Opened as a file, the page goes on to the one that holds all modules.
if (location.protocol === "file:") location.replace(`playground.html${location.hash}`);
