// Browsers load modules from web servers only. Opened as a file, the page goes on to the one that holds all modules.
if (location.protocol === "file:") location.replace(`playground.html${location.hash}`);
else beginPacked().catch(begin);

// All modules of the first picture in one compressed file. A module that is loaded later finds them under its own names.
async function beginPacked() {
  const { body, ok } = await fetch("modules.bin");
  if (!ok) throw new Error("modules.bin is missing");
  const text = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).text();
  const imports = { "workings/": "./" };
  for (const [name, code] of Object.entries(JSON.parse(text))) {
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    Object.assign(imports, { [`workings/${name}`]: address, [`./${name}`]: address });
  }
  const map = Object.assign(document.createElement("script"), { type: "importmap", textContent: JSON.stringify({ imports }) });
  document.head.append(map);
  await import("workings/main.js");
}

// The same modules one by one, for browsers and servers that do not allow this: all at once, because a browser would
// find them one after the other.
function begin() {
  for (const href of MODULES) document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  document.head.append(Object.assign(document.createElement("script"), { type: "module", src: "main.js" }));
}
