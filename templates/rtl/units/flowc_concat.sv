// Joins WAYS streams along the channels: within a position, way i is taken from beat ENDS[i - 1] on, up to beat ENDS[i] - 1.
//
// A beat has SIMD elements; those of way i are of IN_BITS[i] bits and kind IN_KINDS[i] and become elements of OUT_BITS bits.
module flowc_concat #(
    parameter int WAYS = 2,
    parameter int SIMD = 1,
    parameter bit [WAYS-1:0][31:0] ENDS = {32'd2, 32'd1},
    parameter bit [WAYS-1:0][31:0] IN_BITS = {WAYS{32'd8}},
    parameter bit [WAYS-1:0][31:0] IN_KINDS = '0,
    parameter int IN_WIDTH = 16,
    parameter int OUT_BITS = 8,
    parameter bit OUT_BIPOLAR = 0,
    parameter int DELAY = 2
) (
    input logic clk,
    input logic rst,
    input logic [IN_WIDTH-1:0] in_data,
    input logic [WAYS-1:0] in_valid,
    output logic [WAYS-1:0] in_ready,
    output logic [SIMD*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int WORDS = int'(ENDS[WAYS-1]);
  localparam int BITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int WIDTH = SIMD * OUT_BITS;

  // Where a way's beat begins in in_data.
  function automatic int start_of(int way);
    int start = 0;
    for (int i = 0; i < way; i++) start += SIMD * int'(IN_BITS[i]);
    return start;
  endfunction

  logic enable, last;
  logic [BITS-1:0] word;
  logic [WAYS-1:0] chosen;
  logic [WIDTH-1:0] converted[WAYS];
  for (genvar i = 0; i < WAYS; i++) begin : g_way
    localparam int START = start_of(i);
    localparam int FROM = int'(IN_BITS[i]), KIND = int'(IN_KINDS[i]);
    localparam int VALUE = KIND == 1 ? FROM : FROM + 1;
    localparam int BEGIN = i == 0 ? 0 : int'(ENDS[i>0?i-1 : 0]);
    assign chosen[i] = (BEGIN == 0 || 32'(word) >= BEGIN) && (i == WAYS - 1 || 32'(word) < int'(ENDS[i]));
    for (genvar s = 0; s < SIMD; s++) begin : g_element
      logic signed [VALUE-1:0] value;
      flowc_value #(.BITS(FROM), .KIND(KIND)) decode (.element(in_data[START+s*FROM+:FROM]), .value);
      if (OUT_BIPOLAR) begin : g_bipolar
        assign converted[i][s] = !value[VALUE-1];
        wire unused = &{1'b0, value};
      end else begin : g_integer
        assign converted[i][s*OUT_BITS+:OUT_BITS] = OUT_BITS'(value);
      wire unused = &{1'b0, value};
      end
    end
  end
  logic [WIDTH-1:0] data;
  always_comb begin
    data = '0;
    for (int i = 0; i < WAYS; i++) if (chosen[i]) data = data | converted[i];
  end
  wire fire = enable && |(in_valid & chosen);
  assign in_ready = chosen & {WAYS{enable}};
  flowc_count #(.COUNT(WORDS)) words (.clk, .rst, .step(fire), .value(word), .last);
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data, .valid(fire), .enable, .out_data, .out_valid, .out_ready);
  wire unused = &{1'b0, last};
endmodule
