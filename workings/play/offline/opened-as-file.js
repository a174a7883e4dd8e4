// Browsers load modules from web servers only. A page that was opened as a file says so.
// This is no module, so its words cannot come from strings.js.
const howTo = "Browsers open this page from a web server only, not as a file. Put the folder on any web server, or run " +
  "“python -m http.server” in it and open http://localhost:8000.";
if (location.protocol === "file:") {
  addEventListener("DOMContentLoaded", () => { document.querySelector(".loading").textContent = howTo; });
}
