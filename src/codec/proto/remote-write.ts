// Remote write 1.0 and 2.0 messages through protobufjs: plain objects, slow and simple. The oracle of the walkers' tests, and
// for everything that is not the hot path. Sources: Prometheus prompb/types.proto, prompb/remote.proto,
// prompb/io/prometheus/write/v2/types.proto.

import protobuf from 'protobufjs';
import { DomainError } from '../../model/errors.ts';

/** A name and a value. */
export interface LabelMessage {
  readonly name: string;
  readonly value: string;
}

/** A run of buckets. */
export interface SpanMessage {
  readonly offset: number;
  readonly length: number;
}

/** A native histogram: an integer one has the fields that end in Int and Deltas, a float one those in Float and Counts. */
export interface HistogramMessage {
  readonly countInt?: number;
  readonly countFloat?: number;
  readonly sum: number;
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly zeroCountInt?: number;
  readonly zeroCountFloat?: number;
  readonly negativeSpans?: readonly SpanMessage[];
  readonly negativeDeltas?: readonly number[];
  readonly negativeCounts?: readonly number[];
  readonly positiveSpans?: readonly SpanMessage[];
  readonly positiveDeltas?: readonly number[];
  readonly positiveCounts?: readonly number[];
  readonly resetHint?: number;
  readonly timestamp: number;
  readonly customValues?: readonly number[];
  /** Remote write 2.0. */
  readonly startTimestamp?: number;
}

/** prometheus.WriteRequest. Times are ms; absent fields are 0, '' or []. */
export interface WriteRequestMessage {
  readonly timeseries: readonly {
    readonly labels: readonly LabelMessage[];
    readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
    readonly exemplars: readonly {
      readonly labels: readonly LabelMessage[];
      readonly value: number;
      readonly timestamp: number;
    }[];
    readonly histograms: readonly HistogramMessage[];
  }[];
  readonly metadata: readonly {
    readonly type: number;
    readonly metricFamilyName: string;
    readonly help: string;
    readonly unit: string;
  }[];
}

/** io.prometheus.write.v2.Request. */
export interface WriteRequestV2Message {
  readonly symbols: readonly string[];
  readonly timeseries: readonly {
    readonly labelsRefs: readonly number[];
    readonly samples: readonly {
      readonly value: number;
      readonly timestamp: number;
      readonly startTimestamp: number;
    }[];
    readonly histograms: readonly HistogramMessage[];
    readonly exemplars: readonly {
      readonly labelsRefs: readonly number[];
      readonly value: number;
      readonly timestamp: number;
    }[];
    readonly metadata?:
      | { readonly type: number; readonly helpRef: number; readonly unitRef: number }
      | undefined;
  }[];
}

const SCHEMA = `
syntax = "proto3";
package skein;
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
message Span { sint32 offset = 1; uint32 length = 2; }
message Histogram {
  oneof count { uint64 count_int = 1; double count_float = 2; }
  double sum = 3; sint32 schema = 4; double zero_threshold = 5;
  oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
  repeated Span negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
  repeated Span positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
  uint32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; int64 start_timestamp = 17;
}
message TimeSeries {
  repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4;
}
message MetricMetadata { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }

message SampleV2 { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
message ExemplarV2 { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message MetadataV2 { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
message TimeSeriesV2 {
  repeated uint32 labels_refs = 1; repeated SampleV2 samples = 2; repeated Histogram histograms = 3;
  repeated ExemplarV2 exemplars = 4; MetadataV2 metadata = 5;
}
message Request { repeated string symbols = 4; repeated TimeSeriesV2 timeseries = 5; }
`;

const root = protobuf.parse(SCHEMA, { keepCase: false }).root;
const writeRequest = root.lookupType('skein.WriteRequest');
const request = root.lookupType('skein.Request');
const AS_OBJECT: protobuf.IConversionOptions = { longs: Number, defaults: true, arrays: true };

/** Encodes a remote write 1.0 request. */
export function encodeWriteRequest(message: WriteRequestMessage): Uint8Array {
  return writeRequest.encode(writeRequest.fromObject(message)).finish();
}

/** Decodes a remote write 1.0 request; `bad_data` when it does not parse. */
export function decodeWriteRequest(bytes: Uint8Array): WriteRequestMessage {
  return decode(writeRequest, bytes) as WriteRequestMessage;
}

/** Encodes a remote write 2.0 request. */
export function encodeWriteRequestV2(message: WriteRequestV2Message): Uint8Array {
  return request.encode(request.fromObject(message)).finish();
}

/** Decodes a remote write 2.0 request; `bad_data` when it does not parse. */
export function decodeWriteRequestV2(bytes: Uint8Array): WriteRequestV2Message {
  return decode(request, bytes) as WriteRequestV2Message;
}

function decode(type: protobuf.Type, bytes: Uint8Array): unknown {
  try {
    return type.toObject(type.decode(bytes), AS_OBJECT);
  } catch (cause) {
    throw new DomainError('bad_data', `cannot decode ${type.name}: ${String(cause)}`, { cause });
  }
}
