// Modules that pass words on unchanged, and what must hold of them (see follow.sv). Everything that comes from outside is arbitrary
// in every cycle; the reset is set in the first one.

module proof_emit #(
    parameter int DELAY = 2,
    parameter bit [95:0] STYLE = "registers"
) (
    input logic clk, pick, in_valid, out_ready,
    input logic [1:0] in_data,
    output logic invented, crowded, wrong, withdrawn, altered, stuck
);
  logic rst = 1'b1, in_ready, out_valid;
  logic [1:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  // With a DELAY of 0 the pipeline in front has registers: a beat that is offered stays.
  logic valid;
  logic [1:0] data;
  if (DELAY == 0) begin : g_register
    always_ff @(posedge clk)
      if (rst) valid <= 1'b0;
      else if (in_ready) valid <= in_valid;
    always_ff @(posedge clk) if (in_ready) data <= in_data;
  end else begin : g_direct
    assign valid = in_valid;
    assign data = in_data;
  end
  flowc_emit #(.WIDTH(2), .DELAY(DELAY), .STYLE(STYLE)) dut (
      .clk, .rst, .data, .valid, .enable(in_ready), .out_data, .out_valid, .out_ready);
  follow #(.MOST(DELAY + (DELAY == 0 ? 3 : 2)), .PATIENCE(DELAY + 1)) follow (.which(1'b0), .*);
endmodule

module proof_fifo #(
    parameter int DEPTH = 2,
    parameter bit [95:0] STYLE = "registers",
    parameter int MOST = DEPTH
) (
    input logic clk, pick, in_valid, out_ready,
    input logic [1:0] in_data,
    output logic invented, crowded, wrong, withdrawn, altered, stuck
);
  logic rst = 1'b1, in_ready, out_valid;
  logic [1:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_fifo #(.WIDTH(2), .DEPTH(DEPTH), .STYLE(STYLE)) dut (.*);
  follow #(.MOST(MOST), .PATIENCE(1)) follow (.which(1'b0), .*);
endmodule

module proof_converter #(
    parameter int IN = 2,
    parameter int OUT = 3
) (
    input logic clk, pick, in_valid, out_ready,
    input logic [$clog2(IN > 1 ? IN : 2)-1:0] which,
    input logic [2*IN-1:0] in_data,
    output logic invented, crowded, wrong, withdrawn, altered, stuck
);
  logic rst = 1'b1, in_ready, out_valid;
  logic [2*OUT-1:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_width_converter #(.IN(2 * IN), .OUT(2 * OUT), .UNIT(2), .DELAY(1)) dut (.*);
  follow #(.IN_WORDS(IN), .OUT_WORDS(OUT), .MOST(IN + 4 * OUT), .PATIENCE(3)) follow (.*);
endmodule

// Both outputs are followed, each with a word of its own.
module proof_fork (
    input logic clk, in_valid,
    input logic [1:0] pick, out_ready,
    input logic [1:0] in_data,
    output logic [1:0] invented, crowded, wrong, withdrawn, altered, stuck
);
  logic rst = 1'b1, in_ready;
  logic [1:0] out_valid;
  logic [3:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_fork #(.WIDTH(2), .WAYS(2), .DELAY(1)) dut (.*);
  for (genvar i = 0; i < 2; i++) begin : g_way
    follow #(.MOST(3), .PATIENCE(2)) follow (
        .clk, .rst, .pick(pick[i]), .which(1'b0), .in_data, .in_valid, .in_ready, .out_data(out_data[2*i+:2]),
        .out_valid(out_valid[i]), .out_ready(out_ready[i]), .invented(invented[i]), .crowded(crowded[i]), .wrong(wrong[i]),
        .withdrawn(withdrawn[i]), .altered(altered[i]), .stuck(stuck[i]));
  end
endmodule

// A beat of a product is that of the two beats that came at its place. `unpaired`: one of them is taken without the other.
module proof_join (
    input logic clk, pick, out_ready,
    input logic [1:0] in_valid, left, right,
    output logic unpaired, invented, crowded, wrong, withdrawn, altered, stuck
);
  logic rst = 1'b1, out_valid;
  logic [1:0] in_ready;
  logic [3:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_join #(
      .PRODUCT(1), .LEFT_BITS(2), .RIGHT_BITS(2), .WIDE(6), .SUM(4), .OUT_BITS(4), .DELAY(0)
  ) dut (.in_data({right, left}), .*);
  assign unpaired = !rst && (in_valid & in_ready) != '0 && (in_valid & in_ready) != '1;
  follow #(.BITS(4), .MOST(4), .PATIENCE(3)) follow (
      .which(1'b0), .in_data(4'(left) * 4'(right)), .in_valid(&in_valid), .in_ready(&in_ready), .*);
endmodule

module proof_input (
    input logic clk, pick, in_valid, out_ready,
    input logic [7:0] in_data,
    output logic invented, crowded, wrong, withdrawn, altered, stuck
);
  logic rst = 1'b1, in_ready, out_valid;
  logic [1:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_input #(.WIDTH(2), .DELAY(2)) dut (.*);
  follow #(.MOST(4), .PATIENCE(3)) follow (.which(1'b0), .in_data(in_data[1:0]), .*);
endmodule

// `misplaced`: the end of a frame is marked on another beat than each third one. `soiled`: bits behind the word are set.
module proof_output (
    input logic clk, pick, in_valid, out_ready,
    input logic [1:0] in_data,
    output logic misplaced, soiled, invented, crowded, wrong, withdrawn, altered, stuck
);
  localparam int BEATS = 3;
  logic rst = 1'b1, in_ready, out_valid, out_last;
  logic [7:0] out_data;
  logic [1:0] beat;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_output #(.WIDTH(2), .BEATS(BEATS), .DELAY(2)) dut (.*);
  always_ff @(posedge clk)
    if (rst) beat <= '0;
    else if (out_valid && out_ready) beat <= beat == 2'(BEATS - 1) ? '0 : beat + 1'b1;
  assign misplaced = !rst && out_valid && out_last != (beat == 2'(BEATS - 1));
  assign soiled = !rst && out_valid && out_data[7:2] != '0;
  follow #(.MOST(4), .PATIENCE(3)) follow (.which(1'b0), .out_data(out_data[1:0]), .*);
endmodule
