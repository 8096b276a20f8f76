/**
 * What somebody else wrote, as the database can hold it: neither text nor JSON there may have a NUL or half of a
 * surrogate pair. Whatever waits for such a row to be written would wait for ever.
 */
export const storableText = (text: string): string => text.replaceAll("\0", "\uFFFD").toWellFormed();
