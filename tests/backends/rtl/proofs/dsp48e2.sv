// The slice DSP48E2 as UG579 describes it: 27 x 18 bit multiplier, pre-adder, registers with their enables and resets, the four operands
// of its adder. What is not described here (SIMD, patterns, logic functions, carries other than CARRYIN) or not allowed gives ones.
module DSP48E2 #(
    parameter A_INPUT = "DIRECT", parameter B_INPUT = "DIRECT", parameter AMULTSEL = "A", parameter BMULTSEL = "B",
    parameter PREADDINSEL = "A", parameter USE_MULT = "MULTIPLY", parameter USE_SIMD = "ONE48",
    parameter USE_PATTERN_DETECT = "NO_PATDET", parameter USE_WIDEXOR = "FALSE", parameter int AREG = 1, parameter int ACASCREG = 1,
    parameter int BREG = 1, parameter int BCASCREG = 1, parameter int CREG = 1, parameter int DREG = 1, parameter int ADREG = 1,
    parameter int MREG = 1, parameter int PREG = 1, parameter int ALUMODEREG = 1, parameter int CARRYINREG = 1,
    parameter int CARRYINSELREG = 1, parameter int INMODEREG = 1, parameter int OPMODEREG = 1
) (
    input logic CLK, input logic [29:0] A, input logic [17:0] B, input logic [47:0] C, input logic [26:0] D,
    input logic [29:0] ACIN, input logic [17:0] BCIN, input logic [47:0] PCIN, input logic CARRYCASCIN, input logic MULTSIGNIN,
    input logic CARRYIN, input logic [2:0] CARRYINSEL, input logic [3:0] ALUMODE, input logic [4:0] INMODE,
    input logic [8:0] OPMODE, input logic CEA1, input logic CEA2, input logic CEB1, input logic CEB2, input logic CEC,
    input logic CED, input logic CEAD, input logic CEM, input logic CEP, input logic CEALUMODE, input logic CECARRYIN,
    input logic CECTRL, input logic CEINMODE, input logic RSTA, input logic RSTB, input logic RSTC, input logic RSTD,
    input logic RSTM, input logic RSTP, input logic RSTALLCARRYIN, input logic RSTALUMODE, input logic RSTCTRL,
    input logic RSTINMODE, output logic [47:0] P, output logic [47:0] PCOUT, output logic [29:0] ACOUT,
    output logic [17:0] BCOUT, output logic CARRYCASCOUT, output logic [3:0] CARRYOUT, output logic MULTSIGNOUT,
    output logic OVERFLOW, output logic UNDERFLOW, output logic PATTERNDETECT, output logic PATTERNBDETECT,
    output logic [7:0] XOROUT
);
  localparam bit LEGAL = USE_MULT == "MULTIPLY" && USE_SIMD == "ONE48" && (AMULTSEL == "A" || AMULTSEL == "AD") && BMULTSEL == "B" &&
      PREADDINSEL == "A" && DREG <= 1 && ADREG <= 1 &&
      AREG <= 2 && BREG <= 2 && ACASCREG <= AREG && BCASCREG <= BREG && AREG - ACASCREG <= 1 && BREG - BCASCREG <= 1 &&
      (AREG == 0 || ACASCREG > 0) && (BREG == 0 || BCASCREG > 0) && CREG <= 1 && MREG <= 1 && PREG <= 1 &&
      ALUMODEREG == 0 && CARRYINREG == 0 && CARRYINSELREG == 0 && INMODEREG == 0 && OPMODEREG == 0;
  // Inputs: of two registers the first is A1, of one it is A2.
  wire [29:0] a_0 = A_INPUT == "CASCADE" ? ACIN : A;
  wire [17:0] b_0 = B_INPUT == "CASCADE" ? BCIN : B;
  logic [29:0] a_1_reg, a_2_reg;
  logic [17:0] b_1_reg, b_2_reg;
  wire [29:0] a_1 = AREG == 2 ? a_1_reg : a_0;
  wire [17:0] b_1 = BREG == 2 ? b_1_reg : b_0;
  wire [29:0] a_2 = AREG > 0 ? a_2_reg : a_0;
  wire [17:0] b_2 = BREG > 0 ? b_2_reg : b_0;
  always_ff @(posedge CLK) begin
    if (RSTA) a_1_reg <= '0;
    else if (CEA1) a_1_reg <= a_0;
    if (RSTA) a_2_reg <= '0;
    else if (CEA2) a_2_reg <= a_1;
    if (RSTB) b_1_reg <= '0;
    else if (CEB1) b_1_reg <= b_0;
    if (RSTB) b_2_reg <= '0;
    else if (CEB2) b_2_reg <= b_1;
  end
  assign ACOUT = ACASCREG == AREG ? a_2 : a_1;
  assign BCOUT = BCASCREG == BREG ? b_2 : b_1;
  // The multiplier takes the low 27 bits of A, or of A and D, and all of B, signed; INMODE may take A1 or B1, gate A, let D in, subtract.
  logic signed [26:0] d_reg, ad_reg;
  wire signed [26:0] chosen = INMODE[1] ? '0 : INMODE[0] ? a_1_reg[26:0] : a_2[26:0];
  wire signed [26:0] d = INMODE[2] ? (DREG == 1 ? d_reg : D) : '0;
  wire signed [26:0] both = INMODE[3] ? d - chosen : d + chosen;
  always_ff @(posedge CLK) begin
    if (RSTD) d_reg <= '0;
    else if (CED) d_reg <= D;
    if (RSTD) ad_reg <= '0;
    else if (CEAD) ad_reg <= both;
  end
  wire signed [26:0] factor_a = AMULTSEL == "A" ? chosen : ADREG == 1 ? ad_reg : both;
  wire signed [17:0] factor_b = INMODE[4] ? b_1_reg : b_2;
  wire signed [44:0] product = 45'(factor_a) * 45'(factor_b);
  logic signed [44:0] m_reg;
  logic [47:0] c_reg, p_reg;
  always_ff @(posedge CLK)
    if (RSTM) m_reg <= '0;
    else if (CEM) m_reg <= product;
  always_ff @(posedge CLK)
    if (RSTC) c_reg <= '0;
    else if (CEC) c_reg <= C;
  wire [47:0] m = 48'(MREG == 1 ? m_reg : product);
  wire [47:0] c = CREG == 1 ? c_reg : C;
  // The adder's operands
  logic [47:0] w, x, y, z, sum;
  logic known;
  always_comb begin
    known = LEGAL && (OPMODE[1:0] == 2'b01) == (OPMODE[3:2] == 2'b01) && CARRYINSEL == 3'b000;
    case (OPMODE[1:0])
      2'b00: x = '0;
      2'b01: x = m;
      2'b10: x = p_reg;
      2'b11: x = {a_2, b_2};
    endcase
    case (OPMODE[3:2])
      2'b00, 2'b01: y = '0;  // the product's second half is in x already
      2'b10: y = '1;
      2'b11: y = c;
    endcase
    case (OPMODE[6:4])
      3'b000: z = '0;
      3'b001: z = PCIN;
      3'b010: z = p_reg;
      3'b011: z = c;
      3'b101: z = 48'($signed(PCIN) >>> 17);
      3'b110: z = 48'($signed(p_reg) >>> 17);
      default: begin
        z = '0;
        known = 1'b0;
      end
    endcase
    case (OPMODE[8:7])
      2'b00: w = '0;
      2'b01: w = p_reg;
      2'b10: w = '0;  // RND, zero by default
      2'b11: w = c;
    endcase
    case (ALUMODE)
      4'b0000: sum = z + w + x + y + 48'(CARRYIN);
      4'b0011: sum = z - (w + x + y + 48'(CARRYIN));
      default: begin
        sum = '1;
        known = 1'b0;
      end
    endcase
    if (!known) sum = '1;
  end
  always_ff @(posedge CLK)
    if (RSTP) p_reg <= '0;
    else if (CEP) p_reg <= sum;
  assign P = PREG == 1 ? p_reg : sum;
  assign PCOUT = P;
  assign CARRYCASCOUT = 1'b0;
  assign CARRYOUT = '0;
  assign MULTSIGNOUT = 1'b0;
  assign OVERFLOW = 1'b0;
  assign UNDERFLOW = 1'b0;
  assign PATTERNDETECT = 1'b0;
  assign PATTERNBDETECT = 1'b0;
  assign XOROUT = '0;
endmodule
