// Copies lit-html and its licence into the page of the playground, without the reference to a source map.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";

const from = new URL("node_modules/lit-html/", import.meta.url);
const to = new URL("../../workings/play/page/vendor/", import.meta.url);
const code = readFileSync(new URL("lit-html.js", from), "utf8");
writeFileSync(new URL("lit-html.js", to), code.replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
copyFileSync(new URL("LICENSE", from), new URL("LICENSE-lit-html.txt", to));
