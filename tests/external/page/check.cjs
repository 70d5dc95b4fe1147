// The status page in a browser, light and dark, wide and narrow, with and without its script.
//
//   node check.cjs BROWSER FOLDER
//
// BROWSER is chromium, FOLDER holds the pages of pages.py. Says each thing that is not as expected.
const { readFileSync, readdirSync } = require("node:fs");
const { join, resolve } = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const [browserPath, folder] = process.argv.slice(2);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const pages = readdirSync(folder).filter((name) => name.endsWith(".html")).sort();
const wrong = [];
const expect = (holds, what) => { if (!holds) wrong.push(what); };

// Long enough for a busy machine; what is measured is printed.
const USABLE_MS = 5_000;

async function open(browser, name, options, { quiet = false } = {}) {
  const context = await browser.newContext({ bypassCSP: false, ...options });
  const page = await context.newPage();
  const where = `${name} ${JSON.stringify(options)}`;
  page.on("console", (message) => {
    if (!quiet && ["error", "warning"].includes(message.type())) wrong.push(`${where}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${where}: ${error}`));
  page.on("dialog", (dialog) => { wrong.push(`${where}: a dialog`); dialog.dismiss(); });
  const address = pathToFileURL(join(resolve(folder), name)).href;
  page.on("request", (request) => {
    const url = request.url();
    if (!quiet && url.split("#")[0] !== address && !url.startsWith("data:")) wrong.push(`${where}: requests ${url}`);
  });
  const began = performance.now();
  await page.goto(address);
  // Without scripts there are no frames to wait for.
  if (options.javaScriptEnabled !== false) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
  return { context, page, where, took: performance.now() - began };
}

async function looks(browser, name) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390, 320]) {
      const { context, page, where } = await open(browser, name, { colorScheme, viewport: { width, height: 800 } });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide <= width, `${where}: scrolls sideways, ${wide} px`);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = paper.match(/\d+/g).slice(0, 3).every((part) => Number(part) > 128);
      expect(light === (colorScheme === "light"), `${where}: the background is ${paper}`);
      expect(await page.locator("h1").isVisible(), `${where}: no verdict`);
      await context.close();
    }
  }
}

// Other than by a tag of the page, no script runs there: axe does, from outside.
async function accessible(browser, name) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const { context, page, where } = await open(browser, name, { colorScheme, viewport: { width, height: 800 } });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }));
      for (const { id, help, nodes } of violations) {
        wrong.push(`${where}: ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`);
      }
      await context.close();
    }
  }
}

// Every control is reached with the Tab key, is visible then, and works with the keyboard.
async function keyboard(browser, name) {
  const { context, page, where } = await open(browser, name, { viewport: { width: 1280, height: 800 } });
  const controls = await page.evaluate(() =>
    [...document.querySelectorAll("summary, input, button, a[href], [tabindex]")].filter((one) => one.checkVisibility()).length);
  const reached = new Set();
  for (let step = 0; step < controls + 5; step += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const one = document.activeElement;
      if (one === document.body) return null;
      const all = [...document.querySelectorAll("*")];
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      return { at: all.indexOf(one), name: one.outerHTML.slice(0, 80), ring: outlineStyle !== "none" && outlineWidth !== "0px" };
    });
    if (!focused) continue;
    expect(focused.ring, `${where}: no focus ring on ${focused.name}`);
    reached.add(focused.at);
  }
  expect(reached.size === controls, `${where}: Tab reaches ${reached.size} of ${controls} controls`);
  const first = page.locator("details.organization > summary").first();
  const isOpen = () => first.evaluate((summary) => summary.parentElement.open);
  const before = await isOpen();
  await first.focus();
  await page.keyboard.press("Enter");
  expect(await isOpen() !== before, `${where}: Enter does not open an organization`);
  await page.locator("#filter").focus();
  await page.keyboard.type("esign/0001");
  await page.waitForFunction(() => document.getElementById("found").textContent !== "");
  const shown = await page.locator("details.organization tbody tr:visible").count();
  const all = await page.locator("details.organization tbody tr").count();
  expect(shown > 0 && shown < all, `${where}: the filter shows ${shown} of ${all} callbacks`);
  expect(decodeURIComponent(new URL(page.url()).hash) === "#esign/0001", `${where}: the address is ${page.url()}`);
  await context.close();
}

async function withoutScript(browser, name) {
  const { context, page, where } = await open(browser, name, { javaScriptEnabled: false, viewport: { width: 1280, height: 800 } });
  expect(!(await page.locator("#filter").isVisible()), `${where}: a filter that does nothing is shown`);
  expect((await page.locator("h1").innerText()) !== "", `${where}: no verdict`);
  const summary = page.locator("details.organization > summary").first();
  await summary.click();
  expect(await summary.isVisible(), `${where}: no organization`);
  await context.close();
}

// What the policy says is what the browser enforces.
async function policy(browser, name) {
  // What is blocked is an error on the console.
  const { context, page, where } = await open(browser, name, { viewport: { width: 1280, height: 800 } }, { quiet: true });
  const blocked = await page.evaluate(async () => {
    const found = [];
    document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    const image = document.createElement("img");
    image.src = "https://elsewhere.example/x.png";
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    document.body.append(script, image, style);
    await fetch("https://elsewhere.example/").catch(() => {});
    await new Promise((done) => setTimeout(done, 200));
    return { found, ran: window.ran === true, hidden: getComputedStyle(document.body).display === "none" };
  });
  for (const directive of ["script-src-elem", "img-src", "style-src-elem", "connect-src"]) {
    expect(blocked.found.includes(directive), `${where}: ${directive} does not block`);
  }
  expect(!blocked.ran && !blocked.hidden, `${where}: a foreign script or style has an effect`);
  await context.close();
}

async function hostile(browser, name) {
  const { context, page, where } = await open(browser, name, { viewport: { width: 390, height: 800 } });
  const found = await page.evaluate(() => ({
    text: document.body.innerText,
    scripts: document.scripts.length,
    images: document.images.length,
    styles: document.styleSheets.length,
    bases: document.querySelectorAll("base").length,
  }));
  expect(found.text.includes("</script><script>alert(1)</script>"), `${where}: text is lost`);
  expect(!/[\u202a-\u202e\u2066-\u2069]/.test(found.text), `${where}: text can be reversed`);
  const { scripts, images, styles, bases } = found;
  expect(`${scripts} ${images} ${styles} ${bases}` === "1 0 1 0", `${where}: elements ${JSON.stringify(found)}`);
  await context.close();
}

// Opens, filters and unfolds 10,000 callbacks, and prints how long that takes.
async function many(browser, name) {
  const { context, page, where, took } = await open(browser, name, { viewport: { width: 1280, height: 800 } });
  const timed = (action) => page.evaluate(async (action) => {
    const began = performance.now();
    if (action === "open all") document.getElementById("fold").click();
    else {
      document.getElementById("filter").value = action;
      document.getElementById("tools").requestSubmit();
    }
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - began;
  }, action);
  const times = { open: took, filter: await timed("0042 assumed"), "filter again": await timed("pending"), clear: await timed(""), "open all": await timed("open all") };
  const words = Object.entries(times).map(([what, time]) => `${what} ${Math.round(time)} ms`);
  console.log(`10,000 callbacks: ${words.join(", ")}`);
  for (const [what, time] of Object.entries(times)) expect(time < USABLE_MS, `${where}: ${what} takes ${Math.round(time)} ms`);
  await context.close();
}

async function printed(browser, name) {
  const { context, page, where } = await open(browser, name, { viewport: { width: 1280, height: 800 } });
  await page.evaluate(() => { for (const one of document.querySelectorAll("details")) one.open = false; });
  await page.emulateMedia({ media: "print" });
  expect(!(await page.locator("#filter").isVisible()), `${where}: the filter is printed`);
  const row = page.locator("details.organization tbody tr").first();
  expect((await row.boundingBox())?.height > 0, `${where}: folded callbacks are not printed`);
  await context.close();
}

(async () => {
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  try {
    for (const name of pages) {
      await looks(browser, name);
      if (name !== "many.html") await accessible(browser, name);
    }
    await keyboard(browser, "pending.html");
    await withoutScript(browser, "pending.html");
    await printed(browser, "pending.html");
    await hostile(browser, "hostile.html");
    await many(browser, "many.html");
    await policy(browser, "well.html");
  } finally {
    await browser.close();
  }
  for (const line of wrong) console.error(line);
  console.log(wrong.length ? `${wrong.length} things are not as expected` : `${pages.length} pages are as expected`);
  process.exitCode = wrong.length ? 1 : 0;
})();
