// The accelerator at a serial line. Nothing is lost, whoever is slower: each side sends only what the other has made room for.
//
// To here: a head of 1 to 64, as many bytes of beats, and their CRC-8; 80: there is room for 64 bytes more at the host; C0: begin
// anew. From here the same: blocks of results; 80: 64 bytes of ROOM are free again; C0: begun anew, ROOM bytes may come; and E1 to
// E4: something went wrong, and nothing moves before a C0: a block's check, a byte without stop bit, more bytes than there is room
// for, an unknown head.
// Bytes of a beat come least significant first, beats follow each other without marks.
module flowc_link #(
    parameter int CLOCKS = 8,
    parameter int ROOM = 512,
    parameter int IN_BYTES = 1,
    parameter int OUT_BYTES = 1
) (
    input logic clk,
    input logic rst,
    input logic rx,
    output logic tx,
    output logic core_rst,
    output logic working,
    output logic [8*IN_BYTES-1:0] in_data,
    output logic in_valid,
    input logic in_ready,
    input logic [8*OUT_BYTES-1:0] out_data,
    input logic out_valid,
    output logic out_ready
);
  localparam int BLOCK = 64;
  localparam logic [7:0] MORE = 8'h80, ANEW = 8'hC0, WRONG = 8'hE0;

  // From the line
  typedef enum logic [1:0] {HEAD, BODY, CHECK, STOPPED} receiving_t;
  receiving_t receiving;
  logic [7:0] came, check_in, check_came;
  logic came_valid, came_broken;
  logic [6:0] left_in;
  logic [3:0] clearing;
  logic [2:0] fault;
  flowc_uart_rx #(.CLOCKS(CLOCKS)) from_line (.clk, .rst, .rx, .data(came), .valid(came_valid), .broken(came_broken));
  flowc_crc8 check_of_input (.check(check_in), .data(came), .next(check_came));
  // What a byte is was found before it is valid: it is complete since its last bit, its stop bit follows.
  logic is_anew, is_more, is_block, is_sound;
  always_ff @(posedge clk) begin
    is_anew <= came == ANEW;
    is_more <= came == MORE;
    is_block <= came != '0 && came <= 8'(BLOCK);
    is_sound <= came == check_in;
  end
  wire between = receiving == HEAD || receiving == STOPPED;
  wire anew = came_valid && between && is_anew;
  wire store = came_valid && receiving == BODY;
  logic has_room;
  always_ff @(posedge clk)
    if (rst || anew) begin
      receiving <= HEAD;
      fault <= '0;
    end else if (receiving != STOPPED) begin
      if (came_valid) begin
        case (receiving)
          HEAD: begin
            left_in <= came[6:0];
            check_in <= '0;
            if (is_block) receiving <= BODY;
            else if (!is_more) {receiving, fault} <= {STOPPED, 3'd4};
          end
          BODY: begin
            left_in <= left_in - 1'b1;
            check_in <= check_came;
            if (!has_room) {receiving, fault} <= {STOPPED, 3'd3};
            else if (left_in == 7'd1) receiving <= CHECK;
          end
          default: begin
            receiving <= HEAD;
            if (!is_sound) {receiving, fault} <= {STOPPED, 3'd1};
          end
        endcase
      end
      if (came_broken) {receiving, fault} <= {STOPPED, 3'd2};
    end
  always_ff @(posedge clk)
    if (rst || anew) clearing <= '1;
    else if (clearing != '0) clearing <= clearing - 1'b1;
  assign core_rst = rst || clearing != '0;

  // Bytes to beats; 64 that have left make room for a block
  logic [7:0] next_in;
  logic next_valid, next_taken, beats_ready;
  logic [5:0] freed;
  logic [$clog2(ROOM/BLOCK+1)-1:0] owed;  // blocks whose room the host does not know of yet
  wire free_block = next_taken && freed == '1;
  logic tell_room;
  flowc_fifo #(.WIDTH(8), .DEPTH(ROOM), .STYLE("block")) waiting (
      .clk, .rst(core_rst), .in_data(came), .in_valid(store), .in_ready(has_room), .out_data(next_in),
      .out_valid(next_valid), .out_ready(next_taken));
  flowc_width_converter #(.IN(8), .OUT(8 * IN_BYTES), .UNIT(8), .DELAY(1)) to_beats (
      .clk, .rst(core_rst), .in_data(next_in), .in_valid(next_valid), .in_ready(beats_ready), .out_data(in_data),
      .out_valid(in_valid), .out_ready(in_ready));
  assign next_taken = next_valid && beats_ready;
  always_ff @(posedge clk)
    if (core_rst) begin
      freed <= '0;
      owed <= '0;
    end else begin
      if (next_taken) freed <= freed + 1'b1;
      owed <= owed + $bits(owed)'(free_block) - $bits(owed)'(tell_room);
    end

  // Beats to bytes, and how many wait
  logic [7:0] byte_out, result;
  logic byte_valid, byte_ready, result_valid, send_result;
  logic [7:0] results;
  flowc_width_converter #(.IN(8 * OUT_BYTES), .OUT(8), .UNIT(8), .DELAY(1)) to_bytes (
      .clk, .rst(core_rst), .in_data(out_data), .in_valid(out_valid), .in_ready(out_ready), .out_data(byte_out),
      .out_valid(byte_valid), .out_ready(byte_ready));
  flowc_fifo #(.WIDTH(8), .DEPTH(2 * BLOCK), .STYLE("block")) done (
      .clk, .rst(core_rst), .in_data(byte_out), .in_valid(byte_valid), .in_ready(byte_ready), .out_data(result),
      .out_valid(result_valid), .out_ready(send_result));
  always_ff @(posedge clk)
    if (core_rst) results <= '0;
    else results <= results + 8'(byte_valid && byte_ready) - 8'(result_valid && send_result);

  // To the line
  typedef enum logic [1:0] {IDLE, RESULTS, SUM} sending_t;
  sending_t sending;
  logic [7:0] send, check_out, check_sent;
  logic send_valid, send_ready, hello, told;
  logic [6:0] left_out;
  logic [9:0] allowed;  // bytes that the host has room for
  // Bytes of a block that may be sent, as of the cycle before: until a block begins there are only more of them.
  wire [7:0] most = results < 8'(BLOCK) ? results : 8'(BLOCK);
  logic [6:0] count;
  always_ff @(posedge clk) count <= core_rst ? '0 : 10'(most) < allowed ? most[6:0] : allowed[6:0];
  wire tell_fault = fault != '0 && !told;
  wire begin_block = sending == IDLE && send_ready && !hello && !tell_fault && owed == '0 && count != '0;
  assign tell_room = sending == IDLE && send_ready && !hello && !tell_fault && owed != '0 && !core_rst;
  assign send_result = sending == RESULTS && send_ready;
  // The check of a byte follows in the cycle after it was sent: the next one is far.
  logic [7:0] sent;
  logic sent_new;
  flowc_crc8 check_of_output (.check(check_out), .data(sent), .next(check_sent));
  flowc_uart_tx #(.CLOCKS(CLOCKS)) to_line (.clk, .rst, .data(send), .valid(send_valid), .ready(send_ready), .tx);
  always_comb
    if (sending == RESULTS) {send_valid, send} = {result_valid, result};
    else if (sending == SUM) {send_valid, send} = {1'b1, check_out};
    else if (hello) {send_valid, send} = {!core_rst, ANEW};
    else if (tell_fault) {send_valid, send} = {1'b1, WRONG | 8'(fault)};
    else if (owed != '0) {send_valid, send} = {!core_rst, MORE};
    else {send_valid, send} = {count != '0 && !core_rst, 8'(count)};
  always_ff @(posedge clk) begin
    sent <= result;
    sent_new <= send_result && result_valid;
    if (begin_block) check_out <= '0;
    else if (sent_new) check_out <= check_sent;
  end
  always_ff @(posedge clk)
    if (rst || anew) begin
      sending <= IDLE;
      hello <= !rst;
      told <= 1'b0;
    end else if (send_ready && !core_rst) begin
      case (sending)
        IDLE: begin
          hello <= 1'b0;
          if (!hello && tell_fault) told <= 1'b1;
          left_out <= count;
          if (begin_block) sending <= RESULTS;
        end
        RESULTS:
          if (result_valid) begin
            left_out <= left_out - 1'b1;
            if (left_out == 7'd1) sending <= SUM;
          end
        default: sending <= IDLE;
      endcase
    end
  always_ff @(posedge clk)
    if (core_rst) allowed <= '0;
    else allowed <= allowed + (came_valid && receiving == HEAD && is_more ? 10'(BLOCK) : '0)
        - (begin_block ? 10'(count) : '0);
  assign working = receiving != STOPPED;
endmodule
