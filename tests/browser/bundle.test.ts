/** What a browser loads before it shows the first page. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { buildDashboard } from "./helpers/build_dashboard.ts";

describe("the built dashboard", () => {
  let folder: string;
  let html: string;
  beforeAll(async () => {
    folder = await buildDashboard();
    html = readFileSync(join(folder, "index.html"), "utf8");
  });

  const firstLoad = () => [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map((match) => match[1]!);

  it("loads at most 60 kB of script, gzipped, and no graph library, before the first page", () => {
    const texts = firstLoad().map((file) => readFileSync(join(folder, file)));
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.reduce((sum, text) => sum + gzipSync(text).length, 0)).toBeLessThanOrEqual(60_000);
    expect(texts.some((text) => text.includes("org.eclipse.elk"))).toBe(false);
  });

  it("has nothing inline and nothing from elsewhere, as the page's policy demands", () => {
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?:\/\//);
  });

  it("names every asset by its content", () => {
    const names = readdirSync(join(folder, "assets"));
    expect(names.filter((name) => !/-[\w-]{8}\.\w+$/.test(name))).toEqual([]);
  });
});

it("asks the master for nothing because time has passed", () => {
  const web = resolve(import.meta.dirname!, "../../web");
  const files = readdirSync(web, { recursive: true }).map(String).filter((name) => /\.tsx?$/.test(name));
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((name) => readFileSync(join(web, name), "utf8").includes("setInterval"))).toEqual([]);
});
