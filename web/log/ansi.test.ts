import { describe, expect, it } from "vitest";
import { applySgr, endStyle, parseLine, PLAIN, plainText } from "./ansi.ts";

const E = "\u001b";
const shown = (line: string) => parseLine(line).spans.map((s) => s.text).join("");

describe("a terminal line", () => {
  it("gives text its colours and takes them away again", () => {
    expect(parseLine(`a${E}[31;1mb${E}[0mc`).spans).toEqual([
      { text: "a", style: {} },
      { text: "b", style: { foreground: "1", bold: true } },
      { text: "c", style: {} },
    ]);
  });

  it.each([
    ["38;5;9", "9"],
    ["38;5;208", "#ff8700"],
    ["38;5;232", "#080808"],
    ["38;2;1;2;255", "#0102ff"],
    ["38:2::1:2:255", "#0102ff"],
    ["38:5:208", "#ff8700"],
    ["97", "15"],
  ])("understands colour %s", (code, colour) => {
    expect(applySgr(PLAIN, code).foreground).toBe(colour);
  });

  it("goes on after an extended colour with the codes behind it", () => {
    expect(applySgr(PLAIN, "38;2;1;2;3;4")).toMatchObject({ foreground: "#010203", underline: true });
    expect(applySgr(PLAIN, "48;5;20;1")).toMatchObject({ background: "#0000d7", bold: true });
  });

  it("ignores a colour that is out of range", () => {
    expect(applySgr(PLAIN, "38;5;999").foreground).toBeUndefined();
    expect(applySgr(PLAIN, "38;2;1;2").foreground).toBeUndefined();
  });

  it("carries the open style into the next line", () => {
    expect(endStyle(`${E}[32mgreen`, PLAIN)).toEqual({ foreground: "2" });
    expect(parseLine("still", { foreground: "2" }).spans).toEqual([{ text: "still", style: { foreground: "2" } }]);
  });

  it("drops links, titles and cursor movements with their payload", () => {
    expect(shown(`${E}]8;;javascript:alert(1)${E}\\click${E}]8;;${E}\\!`)).toBe("click!");
    expect(shown(`${E}]0;title\u0007text`)).toBe("text");
    expect(shown(`${E}[2K${E}[1Aup${E}(B${E}=`)).toBe("up");
    expect(shown(`${E}P1;2|payload${E}\\after`)).toBe("after");
  });

  it("drops an escape sequence that never ends instead of showing it", () => {
    expect(shown(`ok${E}[31`)).toBe("ok");
    expect(shown(`ok${E}]0;half a title`)).toBe("ok");
    expect(shown(`ok${E}`)).toBe("ok");
  });

  it("shows control and direction characters as signs", () => {
    expect(shown("a\u0000b\u0007c\u007f")).toBe("a␀b␇c␡");
    expect(shown("user\u202egnp.exe")).toBe("user<U+202E>gnp.exe");
    expect(shown("a\u2066b\u200bc\ufeff")).toBe("a<U+2066>b<U+200B>c<U+FEFF>");
    expect(shown("a\tb")).toBe("a\tb");
  });

  it("keeps markup as text", () => {
    expect(shown('<img src=x onerror="alert(1)">')).toBe('<img src=x onerror="alert(1)">');
  });

  it("agrees with its plain text", () => {
    const line = `x${E}[38;5;1my${E}[Kz\u0008 é漢`;
    expect(plainText(line)).toBe(shown(line));
  });
});
