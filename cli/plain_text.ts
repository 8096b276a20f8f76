/**
 * What a sentence may do to the terminal that shows it: lines, tabs and our own colours. Names, messages and reasons come
 * from repositories, machines and other people; what else they hold for a terminal (to move, to hide, to turn around, to
 * answer for the person) is shown as a sign that something stood there.
 */
const SHOWN_INSTEAD = "\ufffd";

// deno-lint-ignore no-control-regex
const OURS = /(\x1b\[(?:0|3[1-6])m)/;
// deno-lint-ignore no-control-regex
const NOT_TEXT = /\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

export const toPlainText = (text: string): string =>
  text.split(OURS).map((part, i) => i % 2 === 1 ? part : part.replace(NOT_TEXT, SHOWN_INSTEAD)).join("");

/** The same of JSON, where such signs stand within texts only: as its own escapes, so that nothing is lost. */
export const toPlainJson = (json: string): string =>
  json.replace(NOT_TEXT, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
