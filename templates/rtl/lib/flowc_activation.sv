// The activation of LANES values a beat; ROWS beats, with parameters of their own, follow each other over and over.
//
// FORM: "none" (0 cycles), "thresholds" or "steps" (2; for many levels 3), "search" (two per step, three from step LATE on; from ENTRIES
// on memories are block RAMs; STEP_BITS 0: with a table), "serial" (flowc_serial; STEP_BITS 0: with a table), "requant" (4; with LATE 8) or
// "table" (3). VALUE: bits of the signed values. Results have OUT_BITS bits; OUT_BIPOLAR: -1 and +1 as 0 and 1.
module flowc_activation #(
    parameter bit [79:0] FORM = "none",
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 8,
    parameter bit OUT_BIPOLAR = 0,
    parameter FILE = "",
    parameter FILE_2 = "",
    parameter bit [95:0] STYLE = "logic",
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
    parameter int ENTRIES = 1
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  if (FORM == "thresholds") begin : g_thresholds
    flowc_thresholds #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .FILE(FILE),
        .STYLE(STYLE), .LEVELS(LEVELS), .BITS(PARAM_BITS), .BASE(BASE), .STEP(STEP)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else if (FORM == "search") begin : g_search
    flowc_search #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .FILE(FILE),
        .STEPS(LEVELS), .BITS(PARAM_BITS), .TABLE(STEP_BITS == 0), .FIRST_BLOCK(ENTRIES), .FIRST_LATE(LATE),
        .BASE(BASE), .STEP(STEP)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else if (FORM == "serial") begin : g_serial
    flowc_serial #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .FILE(FILE), .STYLE(STYLE), .LATE(LATE != 0), .STEPS(LEVELS),
        .BITS(PARAM_BITS), .TABLE(STEP_BITS == 0), .BASE(BASE), .STEP(STEP)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else if (FORM == "steps") begin : g_steps
    flowc_steps #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .FILE(FILE),
        .STYLE(STYLE), .LEVELS(LEVELS), .BITS(PARAM_BITS), .STEP_BITS(STEP_BITS)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else if (FORM == "requant" && LATE > 0) begin : g_late
    flowc_requant_late #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .FILE(FILE), .LATE_FILE(FILE_2), .STYLE(STYLE),
        .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH), .LATE(LATE), .LATE_ROWS(LATE_ROWS)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else if (FORM == "requant") begin : g_requant
    flowc_requant #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .FILE(FILE), .STYLE(STYLE), .FACTOR(FACTOR),
        .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH), .HALF_EVEN(HALF_EVEN)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else if (FORM == "table") begin : g_table
    flowc_table #(
        .LANES(LANES), .ROWS(ROWS), .VALUE(VALUE), .OUT_BITS(OUT_BITS), .FILE(FILE), .STYLE(STYLE), .FIRST(BASE),
        .ENTRIES(ENTRIES)
    ) form (.clk, .rst, .enable, .values, .valid, .results, .results_valid);
  end else begin : g_none
    for (genvar l = 0; l < LANES; l++) begin : g_lane
      if (OUT_BIPOLAR) begin : g_bipolar
        assign results[l] = !values[(l+1)*VALUE-1];
      end else begin : g_integer
        assign results[l*OUT_BITS+:OUT_BITS] = OUT_BITS'($signed(values[l*VALUE+:VALUE]));
      end
    end
    assign results_valid = valid;
    wire unused = &{1'b0, clk, rst, enable, values};
  end
endmodule
