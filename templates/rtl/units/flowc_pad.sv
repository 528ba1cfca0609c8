// Puts SIMD elements of FILLER around a frame, or, with steps above 1, between its pixels. OUT_H x OUT_W pixels of WORDS beats
// leave; pixel (y, x) of HEIGHT x WIDTH comes at (TOP + y * STEP_H, LEFT + x * STEP_W).
module flowc_pad #(
    parameter int SIMD = 1,
    parameter int IN_BITS = 4,
    parameter int IN_KIND = 0,
    parameter int OUT_BITS = 4,
    parameter bit OUT_BIPOLAR = 0,
    parameter bit [OUT_BITS-1:0] FILLER = '0,
    parameter int HEIGHT = 4,
    parameter int WIDTH = 4,
    parameter int WORDS = 1,
    parameter int OUT_H = 6,
    parameter int OUT_W = 6,
    parameter int TOP = 1,
    parameter int LEFT = 1,
    parameter int STEP_H = 1,
    parameter int STEP_W = 1,
    parameter int DELAY = 2
) (
    input logic clk,
    input logic rst,
    input logic [SIMD*IN_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [SIMD*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = IN_KIND == 1 ? IN_BITS : IN_BITS + 1;
  logic enable, last_word, last_x, last_y, row, column;
  logic [SIMD*OUT_BITS-1:0] converted;
  wire hit = row && column;
  wire fire = enable && (!hit || in_valid);
  wire next_x = fire && last_word;
  wire next_y = next_x && last_x;
  assign in_ready = enable && hit;
  logic [(WORDS > 1 ? $clog2(WORDS) : 1)-1:0] word;
  flowc_count #(.COUNT(WORDS)) words (.clk, .rst, .step(fire), .value(word), .last(last_word));
  flowc_grid #(.COUNT(OUT_W), .FIRST(LEFT), .PIXELS(WIDTH), .STEP(STEP_W)) columns (
      .clk, .rst, .step(next_x), .hit(column), .last(last_x));
  flowc_grid #(.COUNT(OUT_H), .FIRST(TOP), .PIXELS(HEIGHT), .STEP(STEP_H)) rows (
      .clk, .rst, .step(next_y), .hit(row), .last(last_y));
  for (genvar s = 0; s < SIMD; s++) begin : g_element
    logic signed [VALUE-1:0] value;
    flowc_value #(.BITS(IN_BITS), .KIND(IN_KIND)) decode (.element(in_data[s*IN_BITS+:IN_BITS]), .value);
    if (OUT_BIPOLAR) begin : g_bipolar
      assign converted[s] = !value[VALUE-1];
      wire unused = &{1'b0, value};
    end else begin : g_integer
      assign converted[s*OUT_BITS+:OUT_BITS] = OUT_BITS'(value);
      wire unused = &{1'b0, value};
    end
  end
  flowc_emit #(.WIDTH(SIMD * OUT_BITS), .DELAY(DELAY)) emit (
      .clk, .rst, .data(hit ? converted : {SIMD{FILLER}}), .valid(fire), .enable, .out_data, .out_valid, .out_ready);
  wire unused = &{1'b0, word, last_y};
endmodule
