// The page on small and large screens, light and dark, by keyboard, in Chinese, with little motion.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kubetab, startBrowser } from "./browser.mjs";

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

const withTab = (name, options, work) =>
  test(name, async () => {
    const tab = await Kubetab.open(browser, options);
    try {
      await tab.page.evaluate(() => window.kubetab.exec("kubectl create deployment web --image=nginx --replicas=3"));
      await tab.until(async () => (await tab.shown("Pod", "default/web-")).length === 3, "three pods");
      await work(tab);
      assert.deepEqual(tab.errors, []);
    } finally {
      await tab.close();
    }
  });

const overflows = (tab) =>
  tab.page.evaluate(() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth);

/** How bright the page's background is, from 0 to 255. */
const brightness = (tab) =>
  tab.page.evaluate(() => {
    for (const element of [document.body, document.documentElement]) {
      const numbers = getComputedStyle(element).backgroundColor.match(/[\d.]+/g)?.map(Number);
      if (numbers && numbers[3] !== 0) return (numbers[0] + numbers[1] + numbers[2]) / 3;
    }
    return 255;
  });

for (const [width, height] of [[390, 844], [768, 1024], [1280, 800], [3840, 2160]]) {
  withTab(`nothing is cut off at ${width}×${height}`, { viewport: { width, height } }, async (tab) => {
    await tab.run("kubectl get pods");
    await tab.screenshot(`size-${width}`);
    assert.ok((await overflows(tab)) <= 0, "the page does not scroll sideways");
    for (const selector of [".xterm", '[data-kind="Node"]', '[data-kind="Pod"][data-name^="default/web-"]']) {
      const box = await tab.page.locator(selector).first().boundingBox();
      assert.ok(box && box.width > 0 && box.height > 0, `${selector} is there`);
      assert.ok(box.x >= -1 && box.x + box.width <= width + 1, `${selector} is within the page's width`);
    }
  });
}

withTab("dark", { colorScheme: "dark" }, async (tab) => {
  await tab.screenshot("dark");
  assert.ok((await brightness(tab)) < 80, `${await brightness(tab)}`);
});

withTab("light", { colorScheme: "light" }, async (tab) => {
  await tab.screenshot("light");
  assert.ok((await brightness(tab)) > 180, `${await brightness(tab)}`);
});

withTab("the system's theme, when it changes", { colorScheme: "light" }, async (tab) => {
  const ink = () =>
    tab.page.evaluate(() => {
      const [red, green, blue] = getComputedStyle(document.querySelector(".xterm-rows")).color.match(/[\d.]+/g);
      return (Number(red) + Number(green) + Number(blue)) / 3;
    });
  assert.ok((await ink()) < 100, `${await ink()}`);
  await tab.page.emulateMedia({ colorScheme: "dark" });
  await tab.until(async () => (await ink()) > 150 && (await brightness(tab)) < 100, "light text on dark");
});

withTab("Chinese", { locale: "zh-CN" }, async (tab) => {
  await tab.screenshot("chinese");
  assert.match(await tab.page.locator("body").innerText(), /[\u4e00-\u9fff]{2}/);
  assert.match(await tab.page.evaluate(() => document.documentElement.lang), /^zh/);
  assert.match(await tab.page.title(), /浏览器/);
});

withTab("little motion", { reducedMotion: "reduce" }, async (tab) => {
  await tab.screenshot("little-motion");
});

withTab("everything is reached by keyboard", {}, async (tab) => {
  // Out of the terminal first: Tab completes there, Shift-Escape leaves.
  await tab.focusTerminal();
  await tab.page.keyboard.press("Shift+Escape");
  const seen = new Set();
  let podReached = false;
  for (let i = 0; i < 150 && !podReached; i++) {
    await tab.page.keyboard.press("Tab");
    const focus = await tab.page.evaluate(() => {
      const element = document.activeElement;
      return {
        kind: element?.closest("[data-kind]")?.dataset.kind ?? "",
        name: element?.closest("[data-kind]")?.dataset.name ?? "",
        label: element?.getAttribute("aria-label") ?? element?.textContent?.trim() ?? "",
      };
    });
    seen.add(focus.kind || focus.label);
    podReached = focus.kind === "Pod" && focus.name.startsWith("default/web-");
  }
  assert.ok(podReached, `Tab reaches a pod; it reached ${[...seen].join(", ")}`);
  await tab.page.keyboard.press("Enter");
  const inspector = tab.page.getByRole("complementary", { name: "Inspector" }).or(tab.page.getByLabel("Inspector"));
  await inspector.first().waitFor();
  await tab.until(async () => /web-/.test(await inspector.first().innerText()), "the pod in the inspector");
  await tab.screenshot("inspector");
});

withTab("the help keeps the focus, and gives it back", {}, async (tab) => {
  const { page } = tab;
  const help = page.getByRole("button", { name: "Help" });
  await help.click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press("Tab");
    const outside = await page.evaluate(() => {
      const element = document.activeElement;
      return element === document.body || element.closest("dialog") ? "" : element.outerHTML;
    });
    assert.equal(outside, "", "the focus stays");
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.ok(await help.evaluate((element) => element === document.activeElement), "the focus is back");
});
