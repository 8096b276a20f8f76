/** Sizes and places of a graph's nodes. The layered placement here needs no library; elkjs refines it in a worker. */
import type { GraphEdge, GraphNode, GraphSection } from "./derive_graph.ts";

export const NODE_WIDTH = 248;
const NODE_HEIGHT = 74;
/** A part is a square; this many fit in a row of a node. */
const PART_SIZE = 20;
export const PARTS_PER_ROW = 10;
const GAP_X = 64;
const GAP_Y = 18;

export interface Box {
  id: string;
  width: number;
  height: number;
}
export interface Placement {
  width: number;
  height: number;
  /** Left and top of each node. */
  places: Map<string, { x: number; y: number }>;
  /** The corners of each edge. */
  paths: { from: string; to: string; points: { x: number; y: number }[] }[];
}

export const boxOf = (node: GraphNode): Box => {
  const squares = node.stages.flat().length + Math.max(0, node.stages.length - 1);
  const rows = Math.ceil(squares / PARTS_PER_ROW);
  return { id: node.task.id, width: NODE_WIDTH, height: NODE_HEIGHT + (rows > 0 ? 10 + rows * (PART_SIZE + 3) : 0) };
};

/** A string that changes when the picture must be laid out again; a change of state alone does not. */
export const shapeOf = (section: GraphSection): string =>
  section.nodes.map((node) => `${node.task.id}:${boxOf(node).height}`).join() + "|" +
  section.edges.map((edge) => `${edge.from}>${edge.to}`).join();

export function placeInLayers(boxes: Box[], edges: GraphEdge[]): Placement {
  const layers = layerOf(boxes, edges);
  const columns: Box[][] = [];
  for (const box of boxes) (columns[layers.get(box.id)!] ??= []).push(box);
  const heightOf = (column: Box[]) => column.reduce((sum, box) => sum + box.height + GAP_Y, -GAP_Y);
  const height = Math.max(0, ...columns.map(heightOf));
  const places = new Map<string, { x: number; y: number }>();
  columns.forEach((column, layer) => {
    let y = (height - heightOf(column)) / 2;
    for (const box of column) {
      places.set(box.id, { x: layer * (NODE_WIDTH + GAP_X), y });
      y += box.height + GAP_Y;
    }
  });
  const heights = new Map(boxes.map((box) => [box.id, box.height]));
  return {
    width: Math.max(0, columns.length * (NODE_WIDTH + GAP_X) - GAP_X),
    height,
    places,
    paths: edges.map(({ from, to }) => {
      const start = { x: places.get(from)!.x + NODE_WIDTH, y: places.get(from)!.y + heights.get(from)! / 2 };
      const end = { x: places.get(to)!.x, y: places.get(to)!.y + heights.get(to)! / 2 };
      const turn = end.x - GAP_X / 2;
      return { from, to, points: [start, { x: turn, y: start.y }, { x: turn, y: end.y }, end] };
    }),
  };
}

/** Longest way from a start, without recursion: a chain may be a thousand long. */
function layerOf(boxes: Box[], edges: GraphEdge[]): Map<string, number> {
  const layers = new Map(boxes.map((box) => [box.id, 0]));
  const unmet = new Map(boxes.map((box) => [box.id, 0]));
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) {
    unmet.set(to, unmet.get(to)! + 1);
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const ready = boxes.map((box) => box.id).filter((id) => unmet.get(id) === 0);
  for (const id of ready) {
    for (const to of next.get(id) ?? []) {
      layers.set(to, Math.max(layers.get(to)!, layers.get(id)! + 1));
      unmet.set(to, unmet.get(to)! - 1);
      if (unmet.get(to) === 0) ready.push(to);
    }
  }
  return layers;
}

/** A line with rounded corners. */
export function pathText(points: { x: number; y: number }[], radius = 8): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let text = `M${first.x} ${first.y}`;
  rest.forEach((point, index) => {
    const before = points[index]!;
    const after = points[index + 2];
    if (!after) return void (text += `L${point.x} ${point.y}`);
    const incoming = Math.hypot(point.x - before.x, point.y - before.y);
    const outgoing = Math.hypot(after.x - point.x, after.y - point.y);
    const r = Math.min(radius, incoming / 2, outgoing / 2);
    if (r < 1) return void (text += `L${point.x} ${point.y}`);
    const near = (a: typeof point, length: number) => ({
      x: point.x + ((a.x - point.x) / length) * r,
      y: point.y + ((a.y - point.y) / length) * r,
    });
    const start = near(before, incoming);
    const end = near(after, outgoing);
    text += `L${start.x} ${start.y}Q${point.x} ${point.y} ${end.x} ${end.y}`;
  });
  return text;
}

/** Where an arrow key leads: the nearest node in that direction. */
export function nearestNode({ places }: Placement, from: string, key: string): string | undefined {
  const here = places.get(from);
  const ways: Record<string, [number, number]> = {
    ArrowRight: [1, 0],
    ArrowLeft: [-1, 0],
    ArrowDown: [0, 1],
    ArrowUp: [0, -1],
  };
  const way = ways[key];
  if (!here || !way) return undefined;
  let best: { id: string; far: number } | undefined;
  for (const [id, { x, y }] of places) {
    const along = (x - here.x) * way[0] + (y - here.y) * way[1];
    const across = Math.abs((x - here.x) * way[1]) + Math.abs((y - here.y) * way[0]);
    // Beside rather than ahead: not what the key asked for.
    if (id === from || along <= 0 || across > along * 2) continue;
    const far = along + across * 2;
    if (!best || far < best.far) best = { id, far };
  }
  return best?.id;
}
