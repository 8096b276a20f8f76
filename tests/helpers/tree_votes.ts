/** Who has said yes to which step of a modelled deployment. A word counts once per person, and for the plan it was given for. */
export class Votes {
  private yes = new Map<string, Set<string>>();

  /** @returns how many have said yes by now; undefined: this person had said so already */
  add(step: string, person: string): number | undefined {
    const given = this.yes.get(step) ?? new Set();
    if (given.has(person)) return undefined;
    this.yes.set(step, given.add(person));
    return given.size;
  }
  has = (step: string, person: string) => this.yes.get(step)?.has(person) ?? false;
  /** The plan is another one. */
  void = () => this.yes.clear();
}
