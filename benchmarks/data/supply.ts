/** Requests that every measurement takes in the same order, each starting at the first on a fresh database. */
export interface Supply<Item> {
  /** The request in this place; made up now if it has not been yet. */
  at(place: number): Item;
}

export function createSupply<Item>(make: () => Item, prebuilt: number): Supply<Item> {
  const made: Item[] = [];
  const at = (place: number): Item => {
    while (made.length <= place) made.push(make());
    return made[place] as Item;
  };
  if (prebuilt > 0) at(prebuilt - 1);
  return { at };
}
