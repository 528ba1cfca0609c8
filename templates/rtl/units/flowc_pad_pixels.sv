// Surrounds a frame with FILLER, PIXELS pixels of SIMD elements per beat. A row of WIDTH pixels is whole beats, a row that leaves ROW_BEATS
// of them, its end filled up. Where the left edge is no whole beat, the last pixels of a beat wait for the next one.
module flowc_pad_pixels #(
    parameter int SIMD = 1,
    parameter int PIXELS = 2,
    parameter int IN_BITS = 4,
    parameter int IN_KIND = 0,
    parameter int OUT_BITS = 4,
    parameter bit OUT_BIPOLAR = 0,
    parameter bit [OUT_BITS-1:0] FILLER = '0,
    parameter int HEIGHT = 4,
    parameter int WIDTH = 4,
    parameter int OUT_H = 6,
    parameter int ROW_BEATS = 3,
    parameter int TOP = 1,
    parameter int LEFT = 1,
    parameter int DELAY = 2,
    localparam int LANES = PIXELS * SIMD
) (
    input logic clk,
    input logic rst,
    input logic [LANES*IN_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [LANES*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = IN_KIND == 1 ? IN_BITS : IN_BITS + 1, KEPT = LEFT % PIXELS * SIMD * OUT_BITS, BEAT = LANES * OUT_BITS;
  logic enable, last_x, last_y, row, column;
  wire hit = row && column;
  wire fire = enable && (!hit || in_valid);
  assign in_ready = enable && hit;
  flowc_grid #(.COUNT(ROW_BEATS), .FIRST(LEFT / PIXELS), .PIXELS(WIDTH / PIXELS), .STEP(1)) columns (
      .clk, .rst, .step(fire), .hit(column), .last(last_x));
  flowc_grid #(.COUNT(OUT_H), .FIRST(TOP), .PIXELS(HEIGHT), .STEP(1)) rows (
      .clk, .rst, .step(fire && last_x), .hit(row), .last(last_y));
  logic [BEAT-1:0] converted;
  for (genvar s = 0; s < LANES; s++) begin : g_element
    logic signed [VALUE-1:0] value;
    flowc_value #(.BITS(IN_BITS), .KIND(IN_KIND)) decode (.element(in_data[s*IN_BITS+:IN_BITS]), .value);
    if (OUT_BIPOLAR) begin : g_bipolar
      assign converted[s] = !value[VALUE-1];
    end else begin : g_integer
      assign converted[s*OUT_BITS+:OUT_BITS] = OUT_BITS'(value);
    end
    wire unused = &{1'b0, value};
  end
  wire [BEAT-1:0] taken = hit ? converted : {LANES{FILLER}};
  logic [BEAT-1:0] beat;
  if (KEPT == 0) begin : g_whole
    assign beat = taken;
  end else begin : g_shifted
    logic [KEPT-1:0] kept;
    always_ff @(posedge clk)
      if (rst) kept <= {(LEFT % PIXELS * SIMD) {FILLER}};
      else if (fire) kept <= taken[BEAT-1-:KEPT];
    assign beat = {taken[BEAT-KEPT-1:0], kept};
  end
  flowc_emit #(.WIDTH(BEAT), .DELAY(DELAY)) emit (
      .clk, .rst, .data(beat), .valid(fire), .enable, .out_data, .out_valid, .out_ready);
  wire unused = &{1'b0, last_y};
endmodule
