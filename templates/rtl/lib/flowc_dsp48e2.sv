// flowc_mac as a slice DSP48E2 of UltraScale devices (UG579), asked for by name: here only, and only where FLOWC_DSP48E2 is defined.
//
// a goes to the multiplier's wide port, 27 bits, b to the other, 18 bits. P = M, and PCIN (Z multiplexer), and C (W multiplexer):
// OPMODE 01 for X and Y is the product, 001 for Z PCIN, 11 for W C. What controls the slice is constant and has no registers. With
// one input register it is A2 and B2, so CEA1 and CEB1 are idle. An OFFSET is a constant at D, which INMODE[2] has added to A; the last
// register of a is then that of the pre-adder (AD). What is not used has registers that stand still.
`ifdef FLOWC_DSP48E2
module flowc_dsp48e2 #(
    parameter int A_BITS = 27,
    parameter int B_BITS = 18,
    parameter int C_BITS = 48,
    parameter bit signed [26:0] OFFSET = 0,
    parameter int INPUTS = 0,
    parameter bit CHAINED = 0,
    parameter bit ADDS = 0
) (
    input logic clk,
    input logic enable,
    input logic signed [A_BITS-1:0] a,
    input logic signed [B_BITS-1:0] b,
    input logic signed [C_BITS-1:0] c,
    input logic [47:0] chain_in,
    output logic [47:0] chain_out,
    output logic [47:0] sum
);
  localparam bit OFFSETS = OFFSET != 0;
  localparam int OWN = OFFSETS && INPUTS > 0 ? INPUTS - 1 : INPUTS;  // registers of A
  wire [29:0] a_port = 30'(a);
  wire [17:0] b_port = 18'(b);
  wire [47:0] c_port = ADDS ? 48'(c) : '0;
  DSP48E2 #(
      .A_INPUT("DIRECT"), .B_INPUT("DIRECT"), .AMULTSEL(OFFSETS ? "AD" : "A"), .BMULTSEL("B"), .PREADDINSEL("A"), .USE_MULT("MULTIPLY"),
      .USE_SIMD("ONE48"), .USE_PATTERN_DETECT("NO_PATDET"), .USE_WIDEXOR("FALSE"), .AREG(OWN), .ACASCREG(OWN),
      .BREG(INPUTS), .BCASCREG(INPUTS), .CREG(1), .DREG(OFFSETS ? 0 : 1), .ADREG(OFFSETS && INPUTS == 0 ? 0 : 1), .MREG(1), .PREG(1), .ALUMODEREG(0), .CARRYINREG(0),
      .CARRYINSELREG(0), .INMODEREG(0), .OPMODEREG(0)
  ) slice (
      .CLK(clk), .A(a_port), .B(b_port), .C(c_port), .D(OFFSET), .ACIN(30'b0), .BCIN(18'b0), .PCIN(CHAINED ? chain_in : 48'b0),
      .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0), .CARRYIN(1'b0), .CARRYINSEL(3'b000), .ALUMODE(4'b0000), .INMODE(OFFSETS ? 5'b00100 : 5'b00000),
      .OPMODE({ADDS ? 2'b11 : 2'b00, CHAINED ? 3'b001 : 3'b000, 4'b0101}),
      .CEA1(OWN == 2 && enable), .CEA2(OWN > 0 && enable), .CEB1(INPUTS == 2 && enable), .CEB2(INPUTS > 0 && enable),
      .CEC(ADDS && enable), .CED(1'b0), .CEAD(OFFSETS && INPUTS > 0 && enable), .CEM(enable), .CEP(enable), .CEALUMODE(1'b0), .CECARRYIN(1'b0),
      .CECTRL(1'b0), .CEINMODE(1'b0), .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0), .RSTM(1'b0), .RSTP(1'b0),
      .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTCTRL(1'b0), .RSTINMODE(1'b0), .P(sum), .PCOUT(chain_out), .ACOUT(), .BCOUT(),
      .CARRYCASCOUT(), .CARRYOUT(), .MULTSIGNOUT(), .OVERFLOW(), .UNDERFLOW(), .PATTERNDETECT(), .PATTERNBDETECT(), .XOROUT());
endmodule
`endif
