// An activation of its own, PE channels in parallel.
module flowc_activate #(
    parameter int PE = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
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
    parameter int DELAY = 1
) (
    input logic clk,
    input logic rst,
    input logic [PE*X_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [PE*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  logic enable;
  logic [PE*VALUE-1:0] values;
  assign in_ready = enable;
  for (genvar p = 0; p < PE; p++) begin : g_lane
    flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (
        .element(in_data[p*X_BITS+:X_BITS]), .value(values[p*VALUE+:VALUE]));
  end

  flowc_result #(
      .LANES(PE), .VALUE(VALUE), .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) result (.clk, .rst, .values, .valid(enable && in_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
