// ONNX files, https://onnx.ai/onnx/repo-docs/IR.html: protocol buffers of a graph. What writes them is loaded when the first is asked for.

import { HeddleError } from '../errors.ts';
import type { Layer } from '../nn/layer.ts';
import { type Attribute, onnxGraph, opset } from './onnx-graph.ts';
import type { NamedTensor } from './safetensors.ts';
import { type WeightSource, weightsOf } from './weights.ts';

/** Options of `encodeOnnx`. */
export interface OnnxOptions {
  /** Shape of a row of the input, e.g. [1, 28, 28]. The number of rows stays open. */
  readonly inputShape: readonly number[];
  /** Class names, by index; kept in the metadata as a JSON array under `classes`. */
  readonly classes?: readonly string[] | undefined;
  /** In front of the weights' keys, as createTrainer's. */
  readonly prefix?: string | undefined;
  /** Name of the output. Default `logits`. */
  readonly output?: string | undefined;
  /** Heddle's version, for the file to name. */
  readonly producerVersion?: string | undefined;
}

/** Name of the input. */
const input = 'input';
/** The version of the format that came with operator set 17. */
const irVersion = 8n;
/** Protocol buffers end here; a mebibyte is left for all that is no weight. */
const mostBytes = 2 ** 31 - 2 ** 20;

/** What a user of the file must know to feed it. */
export const inputText =
  'float32 rows as the model was trained on: of images of bytes 0 to 255, each divided by 255, as torchvision’s ToTensor does';

/**
 * The bytes of an ONNX file (operator set 17) that computes what the model does in an evaluation. It takes `input`, float32
 * [batch, ...inputShape] with the rows as they were trained on (bytes as bytes / 255), and gives `logits`, [batch, ...output
 * shape]. Weights are by key, as `trainer.state()` gives them or a safetensors file of the model has them. The same model and
 * weights give the same bytes. Throws a HeddleError `shape` for weights or rows that do not fit the model, `limit` for more
 * than 2 GiB of them, and `usage` for layers that do not say what they compute (see `Layer.spec`).
 */
export async function encodeOnnx(
  model: Layer,
  weights: WeightSource,
  options: OnnxOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { inputShape, classes, prefix = '', output = 'logits', producerVersion = '' } = options;
  const outputShape = model.outputShape(inputShape);
  const graph = onnxGraph(model, weightsOf(model, weights, prefix), { prefix, input, output });
  const constants = [...graph.constants];
  const bytes = constants.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  if (bytes > mostBytes)
    throw new HeddleError(
      'limit',
      `ONNX: weights of ${bytes} bytes, expected at most ${mostBytes}: a file ends there. Write safetensors`,
    );
  const [{ create, toBinary }, onnx] = await Promise.all([import('@bufbuild/protobuf'), import('onnx-buf')]);
  const { AttributeProto_AttributeType: Kind, TensorProto_DataType: Type } = onnx;
  const attribute = (name: string, value: Attribute) => {
    if ('int' in value) return { name, type: Kind.INT, i: BigInt(value.int) };
    if ('float' in value) return { name, type: Kind.FLOAT, f: value.float };
    return { name, type: Kind.INTS, ints: value.ints.map(BigInt) };
  };
  const dimension = (size: number) => ({ value: { case: 'dimValue' as const, value: BigInt(size) } });
  const rows = { value: { case: 'dimParam' as const, value: 'batch' } };
  const value = (name: string, shape: readonly number[], docString = '') => {
    const tensor = { elemType: Type.FLOAT, shape: { dim: [rows, ...shape.map(dimension)] } };
    return { name, docString, type: { value: { case: 'tensorType' as const, value: tensor } } };
  };
  const file = create(onnx.ModelProtoSchema, {
    irVersion,
    producerName: 'heddle',
    producerVersion,
    docString: `${input}: ${inputText}`,
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    metadataProps: [
      { key: 'input', value: inputText },
      ...(classes === undefined ? [] : [{ key: 'classes', value: JSON.stringify(classes) }]),
    ],
    graph: {
      name: 'heddle',
      input: [value(input, inputShape, inputText)],
      output: [value(output, outputShape)],
      initializer: constants.map(([name, tensor]) => ({
        name,
        dataType: Type.FLOAT,
        dims: tensor.shape.map(BigInt),
        rawData: bytesOf(tensor),
      })),
      node: graph.nodes.map(({ op, inputs, output: made, attributes }) => ({
        name: made,
        opType: op,
        input: [...inputs],
        output: [made],
        attribute: Object.entries(attributes).map(([name, one]) => attribute(name, one)),
      })),
    },
  });
  return toBinary(onnx.ModelProtoSchema, file);
}

/** The data's bytes, little-endian as everywhere that this runs. */
const bytesOf = ({ data }: NamedTensor) => new Uint8Array(Float32Array.from(data).buffer);
