// Another number of bits per beat: IN to OUT, both multiples of UNIT. One cycle per beat of the narrower side.
module flowc_width_converter #(
    parameter int IN = 8,
    parameter int OUT = 16,
    parameter int UNIT = 8,
    parameter int DELAY = 2
) (
    input logic clk,
    input logic rst,
    input logic [IN-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [OUT-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic enable, valid;
  logic [OUT-1:0] data;
  flowc_emit #(.WIDTH(OUT), .DELAY(DELAY)) emit (
      .clk, .rst, .data, .valid, .enable, .out_data, .out_valid, .out_ready);

  if (IN == OUT) begin : g_same
    assign in_ready = enable;
    assign valid = in_valid;
    assign data = in_data;
  end else if (IN % OUT == 0) begin : g_narrow
    // A beat is taken with its first part; the others follow from a register.
    localparam int PARTS = IN / OUT;
    logic [$clog2(PARTS)-1:0] part;
    logic [IN-OUT-1:0] held;
    logic last;
    wire first = part == '0;
    wire fire = enable && (!first || in_valid);
    assign in_ready = enable && first;
    assign valid = fire;
    assign data = first ? in_data[OUT-1:0] : held[OUT-1:0];
    flowc_count #(.COUNT(PARTS)) parts (.clk, .rst, .step(fire), .value(part), .last);
    always_ff @(posedge clk) if (fire) held <= first ? in_data[IN-1:OUT] : (IN - OUT)'({{OUT{1'b0}}, held} >> OUT);
    wire unused = &{1'b0, last};
  end else if (OUT % IN == 0) begin : g_widen
    localparam int PARTS = OUT / IN;
    logic [$clog2(PARTS)-1:0] part;
    logic [OUT-IN-1:0] held;
    logic last;
    wire fire = enable && in_valid;
    assign in_ready = enable;
    assign valid = fire && last;
    assign data = {in_data, held};
    flowc_count #(.COUNT(PARTS)) parts (.clk, .rst, .step(fire), .value(part), .last);
    if (PARTS == 2) begin : g_pair
      always_ff @(posedge clk) if (fire) held <= in_data;
    end else begin : g_more
      always_ff @(posedge clk) if (fire) held <= {in_data, held[OUT-IN-1:IN]};
    end
    wire unused = &{1'b0, part};
  end else begin : g_any
    // A cycle takes a beat if fewer bits are held than an output beat has, or if input beats are the narrower ones; it
    // gives a beat if then enough are held.
    localparam int IN_UNITS = IN / UNIT, OUT_UNITS = OUT / UNIT;
    localparam int BITS = $clog2(IN_UNITS + OUT_UNITS + 1);
    localparam int HELD = IN + OUT;
    logic [BITS-1:0] units, filled;
    logic [HELD-1:0] held, joined;
    wire take = IN_UNITS < OUT_UNITS || units < BITS'(OUT_UNITS);
    wire fire = enable && (!take || in_valid);
    assign in_ready = enable && take;
    assign joined = take ? held | (HELD'(in_data) << (units * UNIT)) : held;
    assign filled = take ? units + BITS'(IN_UNITS) : units;
    wire give = filled >= BITS'(OUT_UNITS);
    assign valid = fire && give;
    assign data = joined[OUT-1:0];
    always_ff @(posedge clk)
      if (rst) begin
        units <= '0;
        held <= '0;
      end else if (fire) begin
        units <= give ? filled - BITS'(OUT_UNITS) : filled;
        held <= give ? joined >> OUT : joined;
      end
  end
endmodule
