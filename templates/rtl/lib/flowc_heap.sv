// The sum of products of two bits of many weights, modulo 2^SUM: HEIGHTS[c] products of weight 2^c, column 0 in the least
// significant bits. Product k is left[k] & right[k], with XORS[k] left[k] ^ right[k], and with INVERTED[k] the complement of that.
// STAGES + 1 cycles.
//
// A level counts the bits of a column in groups of six, which become one bit each of three columns (a 6:3 compressor: three
// six-input tables), and three of what is left (a full adder: a table with two outputs). The first level counts three products at
// once in two tables. Levels follow until no column has more than two bits; a carry chain adds the two rows.
//
// Tools that optimize for depth spoil these tables, so they are given by name where FLOWC_LUT6_2 is defined (flowc_lut). With
// FLOWC_COUNTED, for simulation, each column is counted at once instead.
module flowc_heap #(
    parameter int COLUMNS = 3,
    parameter int SUM = 8,
    parameter bit [COLUMNS-1:0][31:0] HEIGHTS = {COLUMNS{32'd4}},
    parameter int TOTAL = 12,
    parameter bit [TOTAL-1:0] XORS = '0,
    parameter bit [TOTAL-1:0] INVERTED = '0,
    parameter int STAGES = 1
) (
    input logic clk,
    input logic enable,
    input logic [TOTAL-1:0] left,
    input logic [TOTAL-1:0] right,
    output logic signed [SUM-1:0] sum
);
  wire [TOTAL-1:0] bits = (XORS & (left ^ right) | ~XORS & left & right) ^ INVERTED;
  wire unused_bits = &{1'b0, bits, left, right};  // columns beyond the sum

  // Where a column begins in the input.
  function automatic int start(int column);
    int at = 0;
    for (int c = 0; c < column; c++) at += int'(HEIGHTS[c<COLUMNS?c : 0]);
    return at;
  endfunction

`ifdef FLOWC_COUNTED
  // The same sum, for simulation: the bits of each column counted at once.
  localparam int INNER = 0;
  for (genvar c = 0; c < COLUMNS; c++) begin : g_column
    logic [SUM-1:0] own, total;
    if (c < SUM && HEIGHTS[c] > 0) begin : g_some
      assign own = SUM'($countones(bits[start(c)+:int'(HEIGHTS[c])])) << c;
    end else begin : g_none
      assign own = '0;
    end
    if (c == 0) begin : g_lowest
      assign total = own;
    end else begin : g_above
      assign total = own + g_column[c-1].total;
    end
  end
  wire [SUM-1:0] first = g_column[COLUMNS-1].total, second = '0;
`else
  // Groups of six, then of three, among the bits of a column in front of a level.
  function automatic int sixes(int level, int count);
    return level == 0 ? 0 : count / 6;
  endfunction
  function automatic int threes(int level, int count);
    return (count - 6 * sixes(level, count)) / 3;
  endfunction
  function automatic int groups(int level, int count);
    return sixes(level, count) + threes(level, count);
  endfunction
  // Tables: bit `digit` of the number of ones among six inputs, and among three products.
  function automatic bit [63:0] counted(int digit);
    for (int i = 0; i < 64; i++) counted[i] = 1'($countones(6'(i)) >> digit);
  endfunction
  function automatic bit [63:0] of_products(int digit, bit [2:0] xors, bit [2:0] turned);
    for (int i = 0; i < 64; i++) begin
      bit [2:0] product;
      for (int k = 0; k < 3; k++) product[k] = turned[k] ^ (xors[k] ? i[2*k] ^ i[2*k+1] : i[2*k] & i[2*k+1]);
      of_products[i] = 1'($countones(product) >> digit);
    end
  endfunction
  // Bits of every column in front of every level; at most so many levels.
  localparam int MOST = 16;
  function automatic bit [MOST:0][SUM-1:0][15:0] reduced();
    bit [SUM-1:0][15:0] now = '0;
    for (int c = 0; c < SUM && c < COLUMNS; c++) now[c] = 16'(HEIGHTS[c]);
    for (int l = 0; l <= MOST; l++) begin
      reduced[l] = now;
      for (int c = 0; c < SUM; c++) begin
        now[c] = 16'(groups(l, int'(reduced[l][c]))) + reduced[l][c] % 16'd3;
        if (c > 0) now[c] += 16'(groups(l, int'(reduced[l][c-1])));
        if (c > 1) now[c] += 16'(sixes(l, int'(reduced[l][c-2])));
      end
    end
  endfunction
  localparam bit [MOST:0][SUM-1:0][15:0] HEIGHT = reduced();
  function automatic int needed();
    int count = 0;
    for (int l = 0; l < MOST; l++) begin
      bit more = 1'b0;
      for (int c = 0; c < SUM; c++) more |= HEIGHT[l][c] > 16'd2;
      if (more) count++;
    end
    return count;
  endfunction
  localparam int LEVELS = needed();
  // The carry chain counts as two levels.
  function automatic bit registered(int level);
    return level * (STAGES + 1) / (LEVELS + 2) > (level - 1) * (STAGES + 1) / (LEVELS + 2);
  endfunction
  localparam int INNER = LEVELS * (STAGES + 1) / (LEVELS + 2);

  for (genvar l = 0; l <= LEVELS; l++) begin : g_level
    for (genvar c = 0; c < SUM; c++) begin : g_column
      localparam int H = int'(HEIGHT[l][c]);
      localparam int SIX = sixes(l, H), THREE = threes(l, H), REST = H % 3;
      logic [(H > 0 ? H : 1)-1:0] column;
      // From the level before
      if (l == 0) begin : g_input
        if (H > 0) begin : g_some
          localparam int AT = start(c);
          assign column = bits[AT+:H];
        end else begin : g_none
          assign column = '0;
        end
      end else begin : g_below
        localparam int OWN = groups(l - 1, int'(HEIGHT[l-1][c]));
        localparam int LEFT = int'(HEIGHT[l-1][c]) % 3;
        localparam int CARRIED = c > 0 ? groups(l - 1, int'(HEIGHT[l-1][c>0?c-1 : 0])) : 0;
        localparam int TWICE = c > 1 ? sixes(l - 1, int'(HEIGHT[l-1][c>1?c-2 : 0])) : 0;
        logic [(H > 0 ? H : 1)-1:0] joined;
        if (H == 0) begin : g_empty
          assign joined = '0;
        end
        if (OWN > 0) begin : g_own
          assign joined[0+:OWN] = g_level[l-1].g_column[c].ones;
        end
        if (LEFT > 0) begin : g_left
          assign joined[OWN+:LEFT] = g_level[l-1].g_column[c].rest;
        end
        if (CARRIED > 0) begin : g_carried
          assign joined[OWN+LEFT+:CARRIED] = g_level[l-1].g_column[c-1].twos;
        end
        if (TWICE > 0) begin : g_twice
          assign joined[OWN+LEFT+CARRIED+:TWICE] = g_level[l-1].g_column[c-2].fours;
        end
        if (registered(l)) begin : g_register
          always_ff @(posedge clk) if (enable) column <= joined;
        end else begin : g_wire
          assign column = joined;
        end
      end
      // Counted
      logic [(SIX + THREE > 0 ? SIX + THREE : 1)-1:0] ones, twos;
      logic [(SIX > 0 ? SIX : 1)-1:0] fours;
      logic [(REST > 0 ? REST : 1)-1:0] rest;
      if (SIX == 0) begin : g_no_six
        assign fours = '0;
      end
`ifdef FLOWC_LUT6_2
      for (genvar k = 0; k < SIX; k++) begin : g_six
        wire [5:0] six = {column[5*SIX+k], column[4*SIX+k], column[3*SIX+k], column[2*SIX+k], column[SIX+k], column[k]};
        logic [2:0] unused_o5;
        flowc_lut #(.TABLE(counted(0))) one (.i(six), .o5(unused_o5[0]), .o6(ones[k]));
        flowc_lut #(.TABLE(counted(1))) two (.i(six), .o5(unused_o5[1]), .o6(twos[k]));
        flowc_lut #(.TABLE(counted(2))) four (.i(six), .o5(unused_o5[2]), .o6(fours[k]));
      end
      for (genvar k = 0; k < THREE; k++) begin : g_three
        localparam int A = 6 * SIX + k, B = A + THREE, D = B + THREE;
        if (l == 0) begin : g_products
          localparam int AT = start(c);
          wire [5:0] factors = {right[AT+D], left[AT+D], right[AT+B], left[AT+B], right[AT+A], left[AT+A]};
          localparam bit [2:0] X = {XORS[AT+D], XORS[AT+B], XORS[AT+A]}, N = {INVERTED[AT+D], INVERTED[AT+B], INVERTED[AT+A]};
          logic [1:0] unused_o5;
          flowc_lut #(.TABLE(of_products(0, X, N))) one (.i(factors), .o5(unused_o5[0]), .o6(ones[SIX+k]));
          flowc_lut #(.TABLE(of_products(1, X, N))) two (.i(factors), .o5(unused_o5[1]), .o6(twos[SIX+k]));
        end else begin : g_bits
          // Three of the table's inputs: with the highest set, one output is the sum, the other the carry.
          flowc_lut #(.TABLE({{4{8'h96}}, {4{8'he8}}})) both (
              .i({3'b100, column[D], column[B], column[A]}), .o5(twos[SIX+k]), .o6(ones[SIX+k]));
        end
      end
`else
      if (SIX > 0) begin : g_six
        wire [SIX-1:0] a = column[0+:SIX], b = column[SIX+:SIX], d = column[2*SIX+:SIX];
        wire [SIX-1:0] e = column[3*SIX+:SIX], f = column[4*SIX+:SIX], g = column[5*SIX+:SIX];
        wire [SIX-1:0] s = a ^ b ^ d, t = e ^ f ^ g;
        wire [SIX-1:0] m = (a & b) | (d & (a ^ b)), n = (e & f) | (g & (e ^ f)), o = s & t;
        assign ones[0+:SIX] = s ^ t;
        assign twos[0+:SIX] = m ^ n ^ o;
        assign fours = (m & n) | (o & (m ^ n));
      end
      if (THREE > 0) begin : g_three
        wire [THREE-1:0] a = column[6*SIX+:THREE], b = column[6*SIX+THREE+:THREE], d = column[6*SIX+2*THREE+:THREE];
        assign ones[SIX+:THREE] = a ^ b ^ d;
        assign twos[SIX+:THREE] = (a & b) | (d & (a ^ b));
      end
`endif
      if (SIX + THREE == 0) begin : g_nothing
        assign ones = '0;
        assign twos = '0;
      end
      if (REST > 0) begin : g_rest
        assign rest = column[H-1-:REST];
      end else begin : g_no_rest
        assign rest = '0;
      end
      wire unused = &{1'b0, ones, twos, fours, rest, column};
    end
  end

  logic [SUM-1:0] first, second;
  for (genvar c = 0; c < SUM; c++) begin : g_row
    localparam int H = int'(HEIGHT[LEVELS][c]);
    assign first[c] = H > 0 ? g_level[LEVELS].g_column[c].column[0] : 1'b0;
    assign second[c] = H > 1 ? g_level[LEVELS].g_column[c].column[H>1?1 : 0] : 1'b0;
  end
`endif
  logic [SUM-1:0] held[STAGES+1-INNER];
  always_ff @(posedge clk)
    if (enable) begin
      held[0] <= first + second;
      for (int i = 1; i < STAGES + 1 - INNER; i++) held[i] <= held[i-1];
    end
  assign sum = held[STAGES-INNER];
endmodule
