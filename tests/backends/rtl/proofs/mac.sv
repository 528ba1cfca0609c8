// What the library writes for any tool to infer, and the slice that it asks for by name, in the model of dsp48e2.sv: the same sums, once the
// registers are filled, whatever comes and whenever the pipeline stands still.
`define FLOWC_DSP48E2
`include "lib/flowc_dsp48e2.sv"

module proof_mac #(
    parameter int A_BITS = 27,
    parameter int B_BITS = 18,
    parameter int C_BITS = 48,
    parameter int OFFSET = 0,
    parameter int INPUTS = 0,
    parameter bit CHAINED = 0,
    parameter bit ADDS = 0
) (
    input logic clk, enable,
    input logic signed [A_BITS-1:0] a,
    input logic signed [B_BITS-1:0] b,
    input logic signed [C_BITS-1:0] c,
    input logic [47:0] earlier,
    output logic wrong, crossed
);
  logic [47:0] sum, named, passed, named_passed;
  logic [2:0] filled = '0;
  always_ff @(posedge clk) if (enable && filled < 3'(INPUTS + 2)) filled <= filled + 1'b1;
  flowc_mac #(.A_BITS(A_BITS), .B_BITS(B_BITS), .C_BITS(C_BITS), .OFFSET(27'(OFFSET)), .INPUTS(INPUTS), .CHAINED(CHAINED), .ADDS(ADDS)) inferred (
      .chain_in(earlier), .chain_out(passed), .sum, .*);
  flowc_dsp48e2 #(.A_BITS(A_BITS), .B_BITS(B_BITS), .C_BITS(C_BITS), .OFFSET(27'(OFFSET)), .INPUTS(INPUTS), .CHAINED(CHAINED), .ADDS(ADDS)) slice (
      .chain_in(earlier), .chain_out(named_passed), .sum(named), .*);
  wire full = filled == 3'(INPUTS + 2);
  assign wrong = full && sum != named;
  assign crossed = full && passed != named_passed;
endmodule
