/**
 * Many ask for the same at once, as when fifty dashboards hear of one change. For each question one read is under way;
 * whoever comes meanwhile shares the next one, which begins when it has ended: nobody gets what was read before they asked.
 *
 * @param read what the answer depends on is all in the question, the project included
 */
export function shareReads<Q, T>(read: (question: Q) => Promise<T>): (question: Q) => Promise<T> {
  const underWay = new Map<string, Promise<T>>();
  const next = new Map<string, Promise<T>>();

  function begin(key: string, question: Q): Promise<T> {
    const one = read(question).finally(() => {
      if (underWay.get(key) === one) underWay.delete(key);
    });
    underWay.set(key, one);
    return one;
  }

  function beginAfter(key: string, question: Q, running: Promise<T>): Promise<T> {
    const later = Promise.allSettled([running]).then(() => {
      next.delete(key);
      return begin(key, question);
    });
    next.set(key, later);
    return later;
  }

  return (question) => {
    const key = JSON.stringify(question);
    const running = underWay.get(key);
    return running ? next.get(key) ?? beginAfter(key, question, running) : begin(key, question);
  };
}
