/** Asks elkjs for a placement. The worker and its library are loaded with the first graph, never with the page. */
import type { GraphEdge } from "./derive_graph.ts";
import { placeInLayers } from "./place_graph.ts";
import type { Box, Placement } from "./place_graph.ts";

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.spacing.nodeNode": "18",
  "elk.layered.spacing.nodeNodeBetweenLayers": "64",
  "elk.layered.spacing.edgeNodeBetweenLayers": "24",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
};

/** Of a large graph: less search for the fewest crossings, and rows close together. A thousand tasks in a second. */
const LARGE = { "elk.layered.thoroughness": "1", "elk.layered.nodePlacement.strategy": "SIMPLE" };
const LARGE_FROM = 200;

interface ElkNode {
  width?: number;
  height?: number;
  children?: { id: string; x: number; y: number }[];
  edges?: { id: string; sections?: ElkSection[] }[];
}
interface ElkSection {
  startPoint: { x: number; y: number };
  endPoint: { x: number; y: number };
  bendPoints?: { x: number; y: number }[];
}

export type LayoutGraph = (boxes: Box[], edges: GraphEdge[]) => Promise<Placement>;

export function createGraphLayout(startWorker: () => Worker = startElk): LayoutGraph {
  let worker: Worker | undefined;
  let lastId = 0;
  const waiting = new Map<number, { resolve: (graph: ElkNode) => void; reject: (error: Error) => void }>();

  const ask = (message: Record<string, unknown>) => {
    worker ??= listen(startWorker());
    const id = ++lastId;
    return new Promise<ElkNode>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker!.postMessage({ id, ...message });
    });
  };
  const listen = (started: Worker) => {
    started.onmessage = ({ data }: MessageEvent<{ id: number; error?: { message: string }; data: ElkNode }>) => {
      const asked = waiting.get(data.id);
      waiting.delete(data.id);
      if (data.error) asked?.reject(new Error(data.error.message));
      else asked?.resolve(data.data);
    };
    started.onerror = (event) => {
      for (const { reject } of waiting.values()) reject(new Error(event.message));
      waiting.clear();
      worker = undefined;
    };
    started.postMessage({ id: 0, cmd: "register", algorithms: ["layered"] });
    return started;
  };

  return async (boxes, edges) => {
    const graph = {
      id: "root",
      children: boxes,
      edges: edges.map(({ from, to }, index) => ({ id: String(index), sources: [from], targets: [to] })),
    };
    try {
      const layoutOptions = boxes.length < LARGE_FROM ? OPTIONS : { ...OPTIONS, ...LARGE };
      const done = await ask({ cmd: "layout", graph, layoutOptions, options: {} });
      return {
        width: done.width ?? 0,
        height: done.height ?? 0,
        places: new Map(done.children?.map(({ id, x, y }) => [id, { x, y }])),
        paths: (done.edges ?? []).map(({ id, sections }) => ({
          ...edges[Number(id)]!,
          points: (sections ?? []).flatMap((s) => [s.startPoint, ...(s.bendPoints ?? []), s.endPoint]),
        })),
      };
    } catch (error: unknown) {
      console.warn("graph layout in the worker failed; using the simple one", error);
      return placeInLayers(boxes, edges);
    }
  };
}

function startElk(): Worker {
  return new Worker(new URL("./layout_worker.ts", import.meta.url), { type: "module", name: "boreas-layout" });
}
