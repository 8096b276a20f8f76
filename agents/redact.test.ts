import fc from "../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { createRedactor, maskText } from "./redact.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (parts: Uint8Array[]) => parts.map((p) => new TextDecoder("latin1").decode(p)).join("");

function redactInPieces(stream: Uint8Array, secrets: string[], cuts: number[]): string {
  const redactor = createRedactor(secrets);
  const edges = [0, ...cuts.map((c) => c % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  const out = edges.slice(1).map((end, i) => redactor.push(stream.slice(edges[i]!, end)));
  return textOf([...out, redactor.flush()]);
}

describe("redactor", () => {
  it("masks a secret that is cut between two writes", () => {
    const redactor = createRedactor(["hunter2!"]);
    expect(textOf([redactor.push(bytesOf("password is hunt"))])).toBe("password is ");
    expect(redactor.held).toBe(4);
    expect(textOf([redactor.push(bytesOf("er2! ok"))])).toBe("*** ok");
    expect(redactor.held).toBe(0);
  });

  it("lets a beginning go that does not become a secret", () => {
    const redactor = createRedactor(["hunter2!"]);
    expect(textOf([redactor.push(bytesOf("hunt")), redactor.push(bytesOf("ing")), redactor.flush()])).toBe("hunting");
    expect(textOf([redactor.push(bytesOf("hunter")), redactor.flush()])).toBe("hunter");
  });

  it("masks every byte of secrets that overlap or contain each other", () => {
    expect(maskText("xabcdefy", ["abcd", "cdef"])).toBe("x***y");
    expect(maskText("x longer-secret y", ["secret", "longer-secret"])).toBe("x *** y");
    expect(maskText("ninesecretsecretten", ["secret"])).toBe("nine***ten");
  });

  it("does not mask what is too short to be a secret", () => {
    expect(maskText("{ a: 1 }", ["{", "a", ""])).toBe("{ a: 1 }");
  });

  it("masks each line of a secret with many lines", () => {
    const key = "-----BEGIN-----\nMIIEabcdef\nxyzw0123\n-----END-----\n";
    expect(maskText("read MIIEabcdef and xyzw0123", [key])).toBe("read *** and ***");
  });

  it.each([
    ["base64", btoa("pa$$ wörd'/1".replace("ö", "o"))],
    ["base64 behind one byte", btoa("x" + "pa$$ word'/1" + "yz").replace(/=/g, "")],
    ["base64 behind two bytes", btoa("xx" + "pa$$ word'/1" + "z").replace(/=/g, "")],
    ["URL", encodeURIComponent("pa$$ word'/1")],
    ["form", encodeURIComponent("pa$$ word'/1").replaceAll("%20", "+")],
    ["JSON", JSON.stringify({ p: "pa$$ word'/1" })],
    ["shell, single quotes", `'pa$$ word'\\''/1'`],
    ["shell, set -x", `'pa$$ word'"'"'/1'`],
    ["shell, printf %q", `pa\\$\\$\\ word\\'/1`],
    ["shell, double quotes", `"pa\\$\\$ word'/1"`],
  ])("masks the secret as %s writes it", (_name, written) => {
    const masked = maskText(`value ${written} end`, ["pa$$ word'/1"]);
    expect(masked).toContain("***");
    expect(masked).not.toContain("word");
    expect(masked.length).toBeLessThan("value  end".length + 16);
  });

  it("gives the same output however the stream is cut, and never lets a canary through", () => {
    const secret = fc.constantFrom("aab", "aabaa", "abab", "canary-7f3a", "naryc", "zzzzzz", "line one\nline two");
    const piece = fc.oneof(fc.constantFrom("a", "b", "ab", "canary", "-7f", "3a", "z", "\n", "\u0000"), secret);
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 4 }),
        fc.array(piece, { maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (secrets, pieces, cuts) => {
          const stream = bytesOf(pieces.join(""));
          const whole = redactInPieces(stream, secrets, []);
          expect(redactInPieces(stream, secrets, cuts)).toBe(whole);
          for (const s of secrets) if (s.length >= 4) expect(whole).not.toContain(s);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("leaves everything as it was when there is no secret in it", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat()), (bytes, cuts) => {
      const stream = bytes.filter((b) => b !== 0x71);
      expect(redactInPieces(stream, ["qqqq"], cuts)).toBe(textOf([stream]));
    }));
  });
});
