// Browsers load modules from web servers only. Opened as a file, the page goes on to the one that holds all modules.
if (location.protocol === "file:") location.replace(`playground.html${location.hash}`);
else begin();

// All modules at once: a browser would find them one after the other.
function begin() {
  for (const href of MODULES) document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  document.head.append(Object.assign(document.createElement("script"), { type: "module", src: "main.js" }));
}
