// The end of a unit that computes: the activation of LANES values of VALUE bits, then the stream. Parameters as of flowc_activation
// (PARAMETERS, PARAMETERS_2, PARAMETER_STYLE: its FILE, FILE_2, STYLE) and flowc_emit; `enable` moves the unit's pipeline.
module flowc_result #(
    parameter int LANES = 1,
    parameter int VALUE = 8,
    parameter bit [79:0] FORM = "none",
    parameter int ROWS = 1,
    parameter int OUT_BITS = 8,
    parameter bit OUT_BIPOLAR = 0,
    parameter PARAMETERS = "",
    parameter PARAMETERS_2 = "",
    parameter bit [95:0] PARAMETER_STYLE = "logic",
    parameter int LEVELS = 1,
    parameter int PARAM_BITS = 8,
    parameter int STEP_BITS = 1,
    parameter int BASE = 0,
    parameter int STEP = 1,
    parameter int FACTOR = 8,
    parameter int ADDEND = 8,
    parameter int SHIFT = 0,
    parameter longint LOW = 0,
    parameter longint HIGH = 0,
    parameter bit HALF_EVEN = 0,
    parameter int LATE = 0,
    parameter int LATE_ROWS = 1,
    parameter int ENTRIES = 1,
    parameter int DELAY = 0
) (
    input logic clk,
    input logic rst,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic enable,
    output logic [LANES*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic [LANES*OUT_BITS-1:0] results;
  logic results_valid;
  flowc_activation #(
      .FORM(FORM), .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR),
      .FILE(PARAMETERS), .FILE_2(PARAMETERS_2), .STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES)
  ) activation (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  flowc_emit #(.WIDTH(LANES * OUT_BITS), .DELAY(DELAY)) emit (
      .clk, .rst, .data(results), .valid(results_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
